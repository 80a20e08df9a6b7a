// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"errors"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// ownerGone: what a process had under way when it was killed is found by another one, and not
// while it lives.
func ownerGone(t *testing.T, open func() (queue.Store, func())) {
	a, kill := open()
	b, _ := open()
	intent := note(t, a, queue.Intent{Resource: "items", Key: item("1"), Noted: time.Now()})
	own := note(t, b, queue.Intent{Resource: "items", Key: item("2"), Noted: time.Now()})
	publish(t, a, item("3"), "erp")
	markKey(t, a, item("4"))
	mark, delivery := leaseMark(t, a, "items"), leaseDelivery(t, a, "erp")
	time.Sleep(2 * gone)
	wantStale(t, b)
	wantStale(t, a)
	noMark(t, b, "users")

	began := time.Now()
	if held, err := b.LeaseMark(t.Context(), "items", lease); err != nil || held.Key != mark.Key || held.Fence == mark.Fence {
		t.Errorf("got %+v, %v", held, err)
	}
	if waited := time.Since(began); waited > lease {
		t.Errorf("the lease passes after %v", waited)
	}
	if err := a.CommitReconciled(t.Context(), mark, queue.Reconciled{}); !errors.Is(err, queue.ErrLeaseLost) {
		t.Errorf("got %v, want ErrLeaseLost", err)
	}
	if again := leaseDelivery(t, b, "erp"); again.EventID != delivery.EventID || again.Attempts != 0 {
		t.Errorf("got %+v", again.Delivery)
	}
	kill()
	wantStale(t, b)
	time.Sleep(gone)
	wantStale(t, b, intent)
	must(t, b.ResolveIntent(t.Context(), own, queue.Resolution{}, true))
	must(t, b.ResolveIntent(t.Context(), intent, queue.Resolution{Marks: []queue.Mark{{Key: item("1")}}}, true))
	wantStale(t, b)
	if held := leaseMark(t, b, "items"); held.Key != item("1") {
		t.Errorf("got %+v", held.Key)
	}
}

// ownerStops: a process that is closed leaves at once what it had under way.
func ownerStops(t *testing.T, open func() (queue.Store, func())) {
	all := processes(open, 2)
	a, b := all[0], all[1]
	intent := note(t, a, queue.Intent{Resource: "items", Key: item("1"), Noted: time.Now()})
	publish(t, a, item("3"), "erp")
	markKey(t, a, item("4"))
	mark, delivery := leaseMark(t, a, "items"), leaseDelivery(t, a, "erp")
	must(t, a.Close())
	wantStale(t, b, intent)
	if held := leaseMark(t, b, "items"); held.Key != mark.Key {
		t.Errorf("got %+v", held)
	}
	if held := leaseDelivery(t, b, "erp"); held.EventID != delivery.EventID {
		t.Errorf("got %+v", held.Delivery)
	}
}

func maintenanceOfOne(t *testing.T, open func() (queue.Store, func())) {
	a, kill := open()
	b, _ := open()
	want := func(s queue.Store, name string, want bool) {
		t.Helper()
		if held, err := s.LeaseMaintenance(t.Context(), name, lease); err != nil || held != want {
			t.Errorf("%s: %v, %v, want %v", name, held, err, want)
		}
	}
	want(a, "trim", true)
	want(b, "trim", false)
	want(b, "expire", true)
	want(a, "expire", false)
	time.Sleep(lease / 2)
	want(a, "trim", true)
	time.Sleep(lease / 2)
	want(b, "trim", false)
	want(a, "expire", true)
	kill()
	time.Sleep(lease)
	want(b, "trim", true)
}

// resolvedByAnother: whichever process resolves an intent, it is resolved once.
func resolvedByAnother(t *testing.T, open func() (queue.Store, func())) {
	all := processes(open, 2)
	a, b := all[0], all[1]
	id := note(t, a, queue.Intent{Resource: "items", Noted: time.Now(), Deadline: time.Now()})
	wantStale(t, b, id)
	must(t, b.ResolveIntent(t.Context(), id, queue.Resolution{Unresolved: "why"}, true))
	must(t, a.ResolveIntent(t.Context(), id, queue.Resolution{Unresolved: "why", Marks: []queue.Mark{{Key: item("1")}}}, true))
	wantUnresolved(t, a, id)
	seen := make(map[queue.IntentID]bool)
	for _, s := range all {
		for range 5 {
			id := note(t, s, queue.Intent{Resource: "items"})
			if seen[id] {
				t.Errorf("two intents have the number %d", id)
			}
			seen[id] = true
		}
	}
	// All are marked by one, and reconciled by the other.
	must(t, a.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: []queue.Mark{{Key: event.Key{Resource: "users", ID: "1"}}}}, true))
	if held := leaseMark(t, b, "users"); held.Generation != 1 {
		t.Errorf("got %+v", held)
	}
}
