// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
)

// A gap that a crash has left is repaired. Known objects are looked at, and again
// when the API can no longer do what it was asked within the gap. Of objects that
// are marked and were never seen, a delete may have passed. Unknown objects are found
// by a list, or operators get an unresolved record.
func TestRepair(t *testing.T) {
	const settles = time.Minute
	there, gone := event.Key{Resource: "items", ID: "there"}, event.Key{Resource: "items", ID: "gone"}
	made, madeAgain := event.Key{Resource: "items", ID: "made"}, event.Key{Resource: "items", ID: "made again"}
	looked := queue.HintLooked | queue.HintMayBeUpdated
	list := queue.ListKey("items")
	for name, tc := range map[string]struct {
		gap    Gap
		listed bool
		want   map[event.Key]queue.Hints
	}{
		"deletes": {Gap{Resource: "items", Deletes: true}, false, map[event.Key]queue.Hints{
			there: looked | queue.HintMayBeDeleted, gone: looked | queue.HintMayBeDeleted,
			made: queue.HintUpdated | queue.HintMayBeDeleted, madeAgain: queue.HintUpdated | looked | queue.HintMayBeDeleted,
		}},
		"none":   {Gap{Resource: "items"}, false, map[event.Key]queue.Hints{there: looked, gone: looked, made: queue.HintUpdated, madeAgain: queue.HintUpdated | looked}},
		"listed": {Gap{Resource: "items"}, true, map[event.Key]queue.Hints{there: looked, gone: looked, made: queue.HintUpdated, madeAgain: queue.HintUpdated | looked, list: queue.HintMayBeUpdated}},
	} {
		synctestRun(t, name, func(t *testing.T) {
			store := memory.New(time.Now)
			defer store.Close()
			settled(t, store, event.Snapshot{Key: there, Sequence: 1})
			settled(t, store, event.Snapshot{Key: gone, Sequence: 1, Gone: true})
			settled(t, store, event.Snapshot{Key: madeAgain, Sequence: 1, Gone: true})
			// More than one part of each kind.
			want := tc.want
			for n := range repairPart {
				key := event.Key{Resource: "items", ID: fmt.Sprint("there ", n)}
				settled(t, store, event.Snapshot{Key: key, Sequence: 1})
				want[key] = want[there]
			}
			for n := range repairPart {
				key := event.Key{Resource: "items", ID: fmt.Sprint("made ", n)}
				marked(t, store, key)
				want[key] = want[made]
			}
			marked(t, store, made)
			marked(t, store, madeAgain)

			g := newGaps(t.TempDir(), queue.Timeout, zap.NewNop(), uncounted{})
			tc.gap.whole = true
			g.open["items"] = &tc.gap
			g.repair(t.Context(), store, func(string) (Resource, bool) { return Resource{}, false })
			if !g.waiting() {
				t.Fatal("repaired before a configuration has started")
			}
			began := time.Now()
			// No time passes, so it is done at once.
			g.repair(t.Context(), store, func(string) (Resource, bool) { return Resource{"items", tc.listed, settles}, true })
			if g.waiting() {
				t.Fatal("not repaired")
			}
			total := len(want)
			for len(want) > 0 {
				resource := "items"
				if want[list] != 0 {
					resource = list.Resource
				}
				lease, err := store.LeaseMark(t.Context(), resource, time.Hour)
				if err != nil {
					t.Fatal(err)
				}
				if hints, ok := want[lease.Key]; !ok || lease.Hints != hints {
					t.Errorf("%s is marked with %08b, want %08b, %v", lease.Key, lease.Hints, hints, ok)
				}
				if hinted := lease.Hints != queue.HintUpdated; hinted != !lease.SettleAt.Before(began.Add(settles)) {
					t.Errorf("%s settles at %v", lease.Key, lease.SettleAt)
				}
				delete(want, lease.Key)
			}
			if stats, err := store.Stats(t.Context()); err != nil || stats.Marks != total {
				t.Errorf("%d marks, want %d; %v", stats.Marks, total, err)
			}
			unresolved, _, err := store.Unresolved(t.Context(), queue.Page{})
			if err != nil || (len(unresolved) == 1) == tc.listed {
				t.Errorf("unresolved: %+v, %v", unresolved, err)
			}
			for _, u := range unresolved {
				if u.Resource != "items" || u.Rule != gapRule || u.Reason != unresolvedGap {
					t.Errorf("unresolved: %+v", u)
				}
			}
		})
	}
}

func synctestRun(t *testing.T, name string, test func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

// marked marks an object as an update does.
func marked(t *testing.T, store queue.Store, key event.Key) {
	t.Helper()
	if err := store.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: []queue.Mark{{Key: key, Hints: queue.HintUpdated}}}, true); err != nil {
		t.Fatal(err)
	}
}

// settled commits what is known of an object, and leaves no mark of it.
func settled(t *testing.T, store queue.Store, snapshot event.Snapshot) {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(store.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: []queue.Mark{{Key: snapshot.Key}}}, true))
	held, err := store.LeaseMark(t.Context(), snapshot.Key.Resource, time.Minute)
	must(err)
	snapshot.Time = time.Now()
	must(store.CommitReconciled(t.Context(), held, queue.Reconciled{
		AskedAt: time.Now(), Snapshot: &snapshot,
		Events: []queue.Routed{{Event: event.Event{ID: snapshot.Key.String(), Key: snapshot.Key, Sequence: snapshot.Sequence}}},
	}))
}

// busyStore does something when it has read objects for the first time.
type busyStore struct {
	queue.Store
	meanwhile func()
}

func (s *busyStore) Objects(ctx context.Context, resource string, after event.Key, limit int) ([]event.Snapshot, error) {
	objects, err := s.Store.Objects(ctx, resource, after, limit)
	if s.meanwhile != nil {
		s.meanwhile()
		s.meanwhile = nil
	}
	return objects, err
}

// An exchange about an unknown object may pass while its resource is repaired. It
// may be about one that was looked at before, so all of them are looked at again.
func TestRepairBeginsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &busyStore{Store: memory.New(time.Now)}
		defer store.Close()
		there := event.Key{Resource: "items", ID: "there"}
		settled(t, store, event.Snapshot{Key: there, Sequence: 1})
		g := newGaps(t.TempDir(), queue.Timeout, zap.NewNop(), uncounted{})
		_ = g.whole(t.Context(), "items") // there is no file
		store.meanwhile = func() { _ = g.whole(t.Context(), "items") }
		g.repair(t.Context(), store, func(string) (Resource, bool) { return Resource{Name: "items", Listed: true}, true })
		if g.waiting() {
			t.Error("the gap is not repaired")
		}
		held, err := store.LeaseMark(t.Context(), "items", time.Minute)
		if err != nil || held.Generation != 2 {
			t.Errorf("the object is marked %d times, want 2; %v", held.Generation, err)
		}
	})
}
