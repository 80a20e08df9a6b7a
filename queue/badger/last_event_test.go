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
