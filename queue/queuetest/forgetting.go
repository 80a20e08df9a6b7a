// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// commitSnapshot marks an object and commits its snapshot, with an event if
// that has a sequence.
func commitSnapshot(t *testing.T, s queue.Store, snapshot event.Snapshot) {
	t.Helper()
	markKey(t, s, snapshot.Key)
	held := leaseMark(t, s, snapshot.Key.Resource)
	snapshot.Time = time.Now()
	reconciled := queue.Reconciled{AskedAt: time.Now(), Snapshot: &snapshot}
	if snapshot.Sequence > 0 {
		reconciled.Events = []queue.Routed{{Event: event.Event{
			ID: fmt.Sprintf("%s-%d", snapshot.Key, snapshot.Sequence), Type: "items.deleted", Key: snapshot.Key, Sequence: snapshot.Sequence, Op: event.OpDelete,
		}}}
	}
	must(t, s.CommitReconciled(t.Context(), held, reconciled))
}

// forgetAll forgets all objects that were gone before a time.
func forgetAll(t *testing.T, s queue.Store, before time.Time) (forgotten int) {
	t.Helper()
	after := event.Key{}
	for range 1000 {
		n, next, err := s.Forget(t.Context(), before, after)
		must(t, err)
		forgotten += n
		if next.IsZero() {
			return forgotten
		}
		after = next
	}
	t.Fatal("Forget does not come to an end")
	return 0
}

func wantForgotten(t *testing.T, s queue.Store, before time.Time, want int) {
	t.Helper()
	if got := forgetAll(t, s, before); got != want {
		t.Errorf("%d are forgotten, want %d", got, want)
	}
}

func wantKnown(t *testing.T, s queue.Store, key event.Key, known bool) {
	t.Helper()
	if _, err := s.Object(t.Context(), key); known && err != nil || !known && !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("%s: %v, want it to be known: %v", key, err, known)
	}
}

func goneForgotten(t *testing.T, s queue.Store) {
	const retention = time.Minute // an engine may wake up many times a second, of fake time, too
	mark(t, s, queue.Mark{Key: item("old"), Callback: []byte("sealed")})
	held := leaseMark(t, s, "items")
	must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now()}))
	commitSnapshot(t, s, event.Snapshot{Key: item("old"), Sequence: 7, Gone: true})
	commitSnapshot(t, s, event.Snapshot{Key: item("there"), Sequence: 9})
	time.Sleep(retention)
	commitSnapshot(t, s, event.Snapshot{Key: item("new"), Sequence: 8, Gone: true})

	wantForgotten(t, s, time.Now().Add(-retention), 0)
	time.Sleep(time.Nanosecond)
	wantForgotten(t, s, time.Now().Add(-retention), 1)
	wantForgotten(t, s, time.Now().Add(-retention), 0)
	wantKnown(t, s, item("old"), false)
	wantKnown(t, s, item("there"), true)
	wantKnown(t, s, item("new"), true)
	if _, err := s.Callback(t.Context(), item("old")); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("its callback: %v, want ErrNotFound", err)
	}
	listed, err := s.Objects(t.Context(), "items", event.Key{}, 9)
	must(t, err)
	if len(listed) != 2 {
		t.Errorf("listed %+v", listed)
	}
	// Its events stay as long as all history.
	if events, _, err := s.Events(t.Context(), queue.Filter{}, queue.Page{}); err != nil || len(events) != 3 {
		t.Errorf("%d events, %v", len(events), err)
	}

	// An object that comes back is one that nobody knows, and its sequence goes
	// on: also when it was not the highest.
	markKey(t, s, item("old"))
	if held := leaseMark(t, s, "items"); held.Snapshot != nil || held.Floor != 7 {
		t.Errorf("got %+v after %d", held.Snapshot, held.Floor)
	}
	markKey(t, s, event.Key{Resource: "users", ID: "old"})
	if held := leaseMark(t, s, "users"); held.Floor != 0 {
		t.Errorf("another resource goes on after %d", held.Floor)
	}
	commitSnapshot(t, s, event.Snapshot{Key: item("low"), Sequence: 2, Gone: true})
	time.Sleep(retention + 1)
	wantForgotten(t, s, time.Now().Add(-retention), 2)
	markKey(t, s, item("low"))
	if held := leaseMark(t, s, "items"); held.Floor != 8 {
		t.Errorf("it goes on after %d, want 8", held.Floor)
	}
}

// A marked object, or one that an open intent names, is not forgotten: a late
// delete would be announced again, and a lagging replica's Show as a create.
func openNotForgotten(t *testing.T, s queue.Store) {
	for _, id := range []string{"marked", "looked at", "leased", "intended", "touched", "free"} {
		commitSnapshot(t, s, event.Snapshot{Key: item(id), Sequence: 1, Gone: true})
	}
	const later = 2 * time.Minute
	time.Sleep(later)
	markKey(t, s, item("leased"))
	leased := leaseMark(t, s, "items")
	markKey(t, s, item("marked"))
	mark(t, s, queue.Mark{Key: item("looked at"), Hints: queue.HintLooked})
	intent := note(t, s, queue.Intent{Resource: "items", Key: item("intended"), Touches: []event.Key{item("touched")}})
	wantForgotten(t, s, time.Now(), 1)
	wantKnown(t, s, item("free"), false)

	// It is forgotten when it is no longer marked or named.
	must(t, s.ResolveIntent(t.Context(), intent, queue.Resolution{}, true))
	wantForgotten(t, s, time.Now(), 2)
	must(t, s.CommitReconciled(t.Context(), leased, queue.Reconciled{AskedAt: time.Now(), LookAt: time.Now().Add(later)}))
	wantForgotten(t, s, time.Now(), 0)
	for range 2 {
		must(t, s.CommitReconciled(t.Context(), leaseMark(t, s, "items"), queue.Reconciled{AskedAt: time.Now()}))
	}
	wantForgotten(t, s, time.Now(), 2)
	wantKnown(t, s, item("leased"), true)
	time.Sleep(later)
	must(t, s.CommitReconciled(t.Context(), leaseMark(t, s, "items"), queue.Reconciled{AskedAt: time.Now()}))
	wantForgotten(t, s, time.Now(), 1)
}

func aliasForgotten(t *testing.T, s queue.Store) {
	commitSnapshot(t, s, event.Snapshot{Key: item("42"), Sequence: 3, Gone: true})
	commitSnapshot(t, s, event.Snapshot{Key: item("name"), Alias: "42"})
	commitSnapshot(t, s, event.Snapshot{Key: item("other"), Alias: "43"})
	commitSnapshot(t, s, event.Snapshot{Key: item("43"), Sequence: 1})
	time.Sleep(time.Second)
	got := forgetAll(t, s, time.Now()) + forgetAll(t, s, time.Now())
	if got != 2 {
		t.Errorf("%d are forgotten, want the object and its other name", got)
	}
	wantKnown(t, s, item("name"), false)
	wantKnown(t, s, item("other"), true)
}

// manyForgotten forgets in parts of a limited size, and comes to the end.
func manyForgotten(t *testing.T, s queue.Store) {
	const some, size = 6, 1000
	for part := range some {
		marks := make([]queue.Mark, size)
		for i := range marks {
			marks[i].Key = item(fmt.Sprintf("%d/%d", part, i))
		}
		mark(t, s, marks...)
	}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for i := range some * size / 50 {
				held := leaseMark(t, s, "items")
				must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{
					AskedAt: time.Now(), Snapshot: &event.Snapshot{Key: held.Key, Sequence: 1, Gone: i%2 == 0, Time: time.Now()},
				}))
			}
		})
	}
	wg.Wait()
	time.Sleep(time.Second)
	n, next, err := s.Forget(t.Context(), time.Now(), event.Key{})
	must(t, err)
	if next.IsZero() || n == 0 || n > 4096 {
		t.Errorf("%d are forgotten in one go, to %v", n, next)
	}
	wantForgotten(t, s, time.Now(), some*size/2-n)
}
