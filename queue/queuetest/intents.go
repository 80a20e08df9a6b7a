// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

func intentIDsRise(t *testing.T, s queue.Store) {
	last := queue.IntentID(0)
	for range 10 {
		id := note(t, s, queue.Intent{Resource: "items"})
		if id <= last {
			t.Fatalf("got %d after %d", id, last)
		}
		last = id
	}
	wantStats(t, s, func(got queue.Stats) bool { return got.OpenIntents == 10 })
}

func intentsGoStale(t *testing.T, s queue.Store) {
	now := time.Now()
	late := queue.Intent{
		Resource: "items",
		Kind:     event.KindUpdate,
		Rule:     "PATCH /items/:id",
		Key:      item("1"),
		Noted:    now,
		Deadline: now.Add(2 * time.Minute),
		Callback: []byte("sealed"),
		Hops:     "c:1",
	}
	late.ID = note(t, s, late)
	early := note(t, s, queue.Intent{Resource: "items", Noted: now, Deadline: now.Add(time.Minute)})
	// An intent without a deadline is left to its exchange, however long that
	// takes.
	open := note(t, s, queue.Intent{Resource: "items", Noted: now})
	wantStale(t, s)
	time.Sleep(time.Minute)
	wantStale(t, s, early)
	time.Sleep(time.Minute)
	wantStale(t, s, late.ID, early)

	one, err := s.StaleIntents(t.Context(), 1)
	must(t, err)
	if len(one) != 1 || !sameIntent(one[0], late) {
		t.Errorf("got %+v, want %+v", one, late)
	}
	must(t, s.ResolveIntent(t.Context(), late.ID, queue.Resolution{}, true))
	wantStale(t, s, early)
	must(t, s.ResolveIntent(t.Context(), early, queue.Resolution{}, true))
	wantStale(t, s)
	must(t, s.ResolveIntent(t.Context(), open, queue.Resolution{}, true))

	// An intent without an owner is stale at once.
	left := queue.Intent{Resource: "items", Rule: "POST /items", Noted: time.Now(), Abandoned: true}
	left.ID = note(t, s, left)
	wantStale(t, s, left.ID)
	if one, err = s.StaleIntents(t.Context(), 1); err != nil || len(one) != 1 || !sameIntent(one[0], left) {
		t.Errorf("got %+v, %v, want %+v", one, err, left)
	}
	must(t, s.ResolveIntent(t.Context(), left.ID, queue.Resolution{}, true))
	wantStale(t, s)
}

func wantStale(t *testing.T, s queue.Store, want ...queue.IntentID) {
	t.Helper()
	got, err := s.StaleIntents(t.Context(), 100)
	must(t, err)
	if len(got) != len(want) {
		t.Fatalf("got %d stale intents, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i].ID != want[i] {
			t.Errorf("stale intent %d is %d, want %d", i, got[i].ID, want[i])
		}
	}
}

func sameIntent(a, b queue.Intent) bool {
	sameTimes := a.Noted.Equal(b.Noted) && a.Deadline.Equal(b.Deadline)
	a.Noted, a.Deadline = b.Noted, b.Deadline
	return sameTimes && reflect.DeepEqual(a, b)
}

func intentIsKept(t *testing.T, s queue.Store) {
	intent := queue.Intent{Resource: "items", Kind: event.KindCreate, Rule: "POST /items", Noted: time.Now(), Callback: []byte("sealed"), Hops: "c:1"}
	intent.ID = note(t, s, intent)
	must(t, s.ResolveIntent(t.Context(), intent.ID, queue.Resolution{Unresolved: "no id in the response"}, true))
	// An intent that was never noted leaves nothing.
	must(t, s.ResolveIntent(t.Context(), 0, queue.Resolution{Unresolved: "nothing"}, true))

	got, next, err := s.Unresolved(t.Context(), queue.Page{})
	must(t, err)
	if len(got) != 1 || next != "" {
		t.Fatalf("got %+v and %q", got, next)
	}
	if !sameIntent(got[0].Intent, intent) || got[0].Reason != "no id in the response" || !got[0].At.Equal(time.Now()) {
		t.Errorf("got %+v", got[0])
	}
	wantStats(t, s, func(got queue.Stats) bool { return got.Unresolved == 1 && got.OpenIntents == 0 })
}

func resolvingTwice(t *testing.T, s queue.Store) {
	id := note(t, s, queue.Intent{Resource: "items"})
	resolution := queue.Resolution{Marks: []queue.Mark{{Key: item("1")}}, Unresolved: "why"}
	must(t, s.ResolveIntent(t.Context(), id, resolution, true))
	must(t, s.ResolveIntent(t.Context(), id, resolution, true))
	if got := leaseMark(t, s, "items"); got.Generation != 2 {
		t.Errorf("the mark has generation %d, want 2", got.Generation)
	}
	wantStats(t, s, func(got queue.Stats) bool { return got.Unresolved == 1 })
}

func resolvingWithoutWaiting(t *testing.T, s queue.Store) {
	id := note(t, s, queue.Intent{Resource: "items", Deadline: time.Now()})
	marks := []queue.Mark{{Key: item("1")}}
	must(t, s.ResolveIntent(t.Context(), id, queue.Resolution{Marks: marks}, false))
	// The caller may change its slice again.
	marks[0].Key = item("2")
	synctest.Wait()
	if got := leaseMark(t, s, "items"); got.Key != item("1") {
		t.Errorf("got a mark of %v", got.Key)
	}
	wantStale(t, s)
}
