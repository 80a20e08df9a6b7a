// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"
	"fmt"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// The last event of an object is looked for among the tenant's own, whatever others have,
// and not without end.
func TestLastEventIsBounded(t *testing.T) {
	s := mustOpen(t, Options{FreeSpace: noReserve, Durability: queue.Process})
	publishOwned(t, s, "first", "acme")
	publishOwned(t, s, "other", "umbrella")
	const commits, events = 20, 500
	for range commits {
		markItem(t, s, "1")
		held := leaseMark(t, s)
		reconciled := found(held)
		one := reconciled.Events[0]
		one.Tenant = "acme"
		reconciled.Events = nil
		for i := range events {
			next := one
			next.ID = fmt.Sprint(one.ID, "-", i)
			reconciled.Events = append(reconciled.Events, next)
		}
		must(t, s.CommitReconciled(t.Context(), held, reconciled))
	}
	if got, err := s.LastEvent(t.Context(), "acme", item("first")); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("%s was found behind %d events: %v", got.ID, commits*events, err)
	}
	if got, err := s.LastEvent(t.Context(), "umbrella", item("other")); err != nil || got.ID != "other" {
		t.Errorf("got %q, %v", got.ID, err)
	}
	if got, err := s.LastEvent(t.Context(), "acme", item("1")); err != nil || got.ID != fmt.Sprintf("items/1-%d-%d", commits, events-1) {
		t.Errorf("got %q, %v", got.ID, err)
	}
}

// Events of an earlier version stand in no index.
func TestLastEventOfEarlierVersion(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	publishOwned(t, s, "old", "acme")
	publishOwned(t, s, "theirs", "umbrella")
	must(t, s.Close())
	forgetFeeds(t, dir, 0, nil)
	s = mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	publishOwned(t, s, "new", "acme")
	for _, id := range []string{"old", "new"} {
		if got, err := s.LastEvent(t.Context(), "acme", item(id)); err != nil || got.ID != id {
			t.Errorf("got %q, %v", got.ID, err)
		}
	}
	if got, err := s.LastEvent(t.Context(), "acme", item("theirs")); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("got %q, %v", got.ID, err)
	}
}

// A page that few rows match is read in bounded steps, each of which gets on.
func TestListsLookAtSome(t *testing.T) {
	s := mustOpen(t, Options{FreeSpace: noReserve, Durability: queue.Process})
	publishOwned(t, s, "first", "acme")
	finish(t, s, "erp", queue.Verdict{Status: queue.StatusDelivered})
	const commits, events = 21, 500
	for range commits {
		markItem(t, s, "1")
		held := leaseMark(t, s)
		reconciled := found(held, "erp")
		one := reconciled.Events[0]
		reconciled.Events = nil
		for i := range events {
			next := one
			next.ID = fmt.Sprint(one.ID, "-", i)
			reconciled.Events = append(reconciled.Events, next)
		}
		must(t, s.CommitReconciled(t.Context(), held, reconciled))
	}
	page := queue.Page{}
	rows, next, err := s.Deliveries(t.Context(), queue.Filter{Endpoint: "erp", Status: queue.StatusDelivered}, page)
	if must(t, err); len(rows) != 0 || next == "" {
		t.Fatalf("got %d rows, and the next page is %q", len(rows), next)
	}
	page.Cursor = next
	rows, next, err = s.Deliveries(t.Context(), queue.Filter{Endpoint: "erp", Status: queue.StatusDelivered}, page)
	if must(t, err); len(rows) != 1 || rows[0].EventID != "first" || next != "" {
		t.Errorf("got %+v, and the next page is %q", rows, next)
	}
	all, next, err := s.Events(t.Context(), queue.Filter{Key: item("first")}, queue.Page{})
	if must(t, err); len(all) != 0 || next == "" {
		t.Fatalf("got %d events, and the next page is %q", len(all), next)
	}
	all, next, err = s.Events(t.Context(), queue.Filter{Key: item("first")}, queue.Page{Cursor: next})
	if must(t, err); len(all) != 1 || next != "" {
		t.Errorf("got %d events, and the next page is %q", len(all), next)
	}
}
