// SPDX-License-Identifier: Apache-2.0

package verbs_test

import (
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
	"github.com/caddy-webhooks/caddy-webhooks/queue/verbs"
)

// What somebody made up is for those alone to whom it was sent: a replay neither counts nor
// sends it, whoever is permitted what.
func TestReplayLeavesOutTests(t *testing.T) {
	store := memory.New(time.Now)
	defer func() { _ = store.Close() }()
	for _, e := range []event.Event{
		{Type: "items.updated", Key: event.Key{Resource: "items", ID: "1"}, Op: event.OpChange},
		{ID: "evt_made_up", Type: "items.updated", Key: event.Key{Resource: "endpoint", ID: "test_1"}, Op: event.OpTest, Sequence: 1},
	} {
		e.Time = time.Now()
		if err := store.Announce(t.Context(), e, nil); err != nil {
			t.Fatal(err)
		}
	}
	everything := func(string, *event.Event, bool) bool { return true }
	for name, permit := range map[string]queue.Permit{"erp": nil, "crm": everything} {
		selection := queue.Selection{Endpoint: name, Permit: permit}
		counted, err := verbs.Replay.Count(t.Context(), store, selection)
		if err != nil || counted.Count != 1 {
			t.Errorf("%s: counted %+v, %v", name, counted, err)
		}
		if changed, _, err := verbs.Replay.Act(t.Context(), store, selection, queue.Page{}); err != nil || changed != 1 {
			t.Errorf("%s: %d are sent, %v", name, changed, err)
		}
		rows, _, err := store.Deliveries(t.Context(), queue.Filter{Endpoint: name}, queue.Page{})
		if err != nil || len(rows) != 1 || rows[0].Key.Resource != "items" {
			t.Errorf("%s: %+v, %v", name, rows, err)
		}
	}
}

// Events are listed in the order of their commits: one that was found before the time that
// is meant, and committed later, does not end the count.
func TestReplayCountsInTheOrderOfCommits(t *testing.T) {
	store := memory.New(time.Now)
	defer func() { _ = store.Close() }()
	since := time.Now()
	for id, found := range []time.Time{since.Add(-time.Hour), since.Add(time.Second), since.Add(-time.Second), since.Add(2 * time.Second), since.Add(-time.Minute)} {
		e := event.Event{Type: "items.updated", Key: event.Key{Resource: "items", ID: string(rune('a' + id))}, Op: event.OpChange, Time: found}
		if err := store.Announce(t.Context(), e, nil); err != nil {
			t.Fatal(err)
		}
	}
	counted, err := verbs.Replay.Count(t.Context(), store, queue.Selection{Endpoint: "erp", From: since})
	if err != nil || counted.Count != 2 {
		t.Errorf("counted %+v, %v", counted, err)
	}
}
