// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// RunAlone runs what engines of one process promise beyond [Run]: their figures
// are exact, and they always hold the work of one process.
func RunAlone(t *testing.T, open Open) {
	for name, test := range map[string]func(t *testing.T, s queue.Store){
		"figures are exact":            exactFigures,
		"maintenance is always theirs": maintenanceTheirs,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t, time.Now)
				defer func() {
					if err := s.Close(); err != nil {
						t.Errorf("Close: %v", err)
					}
				}()
				test(t, s)
			})
		})
	}
}

// exactFigures reads the figures once after each verb.
func exactFigures(t *testing.T, s queue.Store) {
	began := time.Now()
	steps := 0
	want := func(want queue.Stats) {
		t.Helper()
		steps++
		got, err := s.Stats(t.Context())
		must(t, err)
		if want.PendingDeliveries == nil {
			want.PendingDeliveries, want.Lanes = map[string]int{}, map[string]int{}
		}
		if !sameStats(got, want) || len(got.Lanes) > 0 && got.Lanes["erp"] != want.Lanes["erp"] {
			t.Errorf("step %d: got %+v, want %+v", steps, got, want)
		}
	}
	want(queue.Stats{})
	id := note(t, s, queue.Intent{Resource: "items"})
	want(queue.Stats{OpenIntents: 1})
	must(t, s.ResolveIntent(t.Context(), id, queue.Resolution{Unresolved: "why"}, true))
	want(queue.Stats{Unresolved: 1})
	must(t, s.DismissUnresolved(t.Context(), id))
	want(queue.Stats{})
	mark(t, s, queue.Mark{Key: item("1")}, look(item("2")))
	want(queue.Stats{Marks: 1, OldestMark: began, Looks: 1})
	held := leaseMark(t, s, "items")
	want(queue.Stats{Marks: 1, OldestMark: began, Looks: 1})
	must(t, s.RetryMark(t.Context(), held, time.Now(), "502"))
	want(queue.Stats{Marks: 1, FailingMarks: 1, OldestMark: began, Looks: 1})
	held = leaseMark(t, s, "items")
	must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now(), Events: []queue.Routed{
		{Event: event.Event{ID: "a", Key: item("1"), Sequence: 1}, Endpoints: []string{"erp"}},
		{Event: event.Event{ID: "b", Key: item("1"), Sequence: 2}, Endpoints: []string{"erp"}},
	}}))
	pending := func(deliveries, lanes int) queue.Stats {
		return queue.Stats{Looks: 1, PendingDeliveries: map[string]int{"erp": deliveries}, Lanes: map[string]int{"erp": lanes}}
	}
	want(pending(2, 1))
	first := leaseDelivery(t, s, "erp")
	want(pending(2, 1))
	deliver(t, s, first)
	want(pending(1, 1))
	redeliver(t, s, queue.Selection{EventID: "a"}, 1)
	want(pending(2, 1))
	_, _, err := s.Cancel(t.Context(), queue.Selection{}, queue.Page{})
	must(t, err)
	want(queue.Stats{Looks: 1})
	held = leaseMark(t, s, "items")
	must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now()}))
	want(queue.Stats{})
}
