// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

func marksMerge(t *testing.T, s queue.Store) {
	began := time.Now()
	cause := event.Cause{
		Rule: "DELETE /items/:id", Outcome: event.OutcomeUnknown, At: began,
		Method: "DELETE", Path: "/items/1", Resource: "carts", TraceParent: "00-a-b-01", Hops: "c:1",
	}
	mark(t, s, queue.Mark{Key: item("1"), Hints: queue.HintCreated, Version: "1", SettleAt: began.Add(time.Hour)})
	time.Sleep(time.Second)
	mark(t, s, queue.Mark{Key: item("1"), Hints: queue.HintMayBeDeleted, Cause: cause, SettleAt: began.Add(time.Minute)})

	got := leaseMark(t, s, "items")
	if got.Generation != 2 || got.Tries != 0 || got.Snapshot != nil {
		t.Errorf("got %+v", got)
	}
	if got.Hints != queue.HintCreated|queue.HintMayBeDeleted || got.Version != "1" {
		t.Errorf("hints %b and version %q", got.Hints, got.Version)
	}
	if !got.Cause.At.Equal(cause.At) {
		t.Errorf("the cause is of %v", got.Cause.At)
	}
	if got.Cause.At = cause.At; got.Cause != cause {
		t.Errorf("got cause %+v", got.Cause)
	}
	if !got.SettleAt.Equal(began.Add(time.Hour)) || !got.MarkedAt.Equal(began) {
		t.Errorf("settles at %v, marked at %v", got.SettleAt, got.MarkedAt)
	}
	mark(t, s, queue.Mark{Key: item("1"), Version: "2"})
	must(t, s.RetryMark(t.Context(), got, time.Now(), "busy"))
	if got := leaseMark(t, s, "items"); got.Version != "2" {
		t.Errorf("version %q, want the newer", got.Version)
	}

	// Any of the exchanges may have made what is found.
	for _, at := range []time.Time{began.Add(time.Second), began, began.Add(time.Minute)} {
		mark(t, s, queue.Mark{Key: item("2"), Hints: queue.HintMayBeUpdated | queue.HintUnconfirmed, Cause: event.Cause{At: at}})
	}
	if got := leaseMark(t, s, "items"); got.Key != item("2") || !got.Began.Equal(began) || !got.Cause.At.Equal(began.Add(time.Minute)) {
		t.Errorf("%s began at %v, its cause is of %v", got.Key, got.Began, got.Cause.At)
	}
}

func markIsLeasedOnce(t *testing.T, s queue.Store) {
	markKey(t, s, item("1"))
	leaseMark(t, s, "items")
	noMark(t, s, "items")
	markKey(t, s, item("1"))
	noMark(t, s, "items")
	pending, err := s.Pending(t.Context(), 10)
	must(t, err)
	if len(pending) != 1 || !pending[0].Leased || pending[0].Generation != 2 {
		t.Errorf("got %+v", pending)
	}
}

func marksInOrder(t *testing.T, s queue.Store) {
	for _, id := range []string{"3", "1", "2"} {
		markKey(t, s, item(id))
		time.Sleep(time.Second)
	}
	for _, id := range []string{"3", "1", "2"} {
		if got := leaseMark(t, s, "items"); got.Key != item(id) {
			t.Errorf("got %v, want %s", got.Key, id)
		}
	}
}

// markKeepsItsPlace marks an object again and again that waits behind another.
func markKeepsItsPlace(t *testing.T, s queue.Store) {
	for _, id := range []string{"1", "2", "1", "3", "1"} {
		markKey(t, s, item(id))
		time.Sleep(time.Second)
	}
	for _, id := range []string{"1", "2", "3"} {
		if got := leaseMark(t, s, "items"); got.Key != item(id) {
			t.Errorf("got %v, want %s", got.Key, id)
		}
	}
}

func markLeasePasses(t *testing.T, s queue.Store) {
	markKey(t, s, item("1"))
	first := leaseMark(t, s, "items")
	time.Sleep(lease)
	if err := s.CommitReconciled(t.Context(), first, queue.Reconciled{}); !errors.Is(err, queue.ErrLeaseLost) {
		t.Errorf("CommitReconciled: %v, want ErrLeaseLost", err)
	}
	second := leaseMark(t, s, "items")
	if second.Fence == first.Fence || second.Key != first.Key {
		t.Errorf("got %+v after %+v", second, first)
	}
	if err := s.RetryMark(t.Context(), first, time.Now(), ""); !errors.Is(err, queue.ErrLeaseLost) {
		t.Errorf("RetryMark: %v, want ErrLeaseLost", err)
	}
	must(t, s.CommitReconciled(t.Context(), second, queue.Reconciled{AskedAt: time.Now()}))
	noMark(t, s, "items")
}

func leaseWaitsForMark(t *testing.T, s queue.Store) {
	leased := make(chan error)
	go func() {
		_, err := s.LeaseMark(t.Context(), "items", lease)
		leased <- err
	}()
	synctest.Wait()
	select {
	case err := <-leased:
		t.Fatalf("LeaseMark returned with nothing to lease: %v", err)
	default:
	}
	markKey(t, s, item("1"))
	must(t, <-leased)

	// The mark of a worker that died comes back to a waiting one.
	began := time.Now()
	if _, err := s.LeaseMark(t.Context(), "items", lease); err != nil {
		t.Fatal(err)
	}
	if waited := time.Since(began); waited != lease {
		t.Errorf("waited %v, want %v", waited, lease)
	}
}

func resourcesAreApart(t *testing.T, s queue.Store) {
	markKey(t, s, event.Key{Resource: "users", ID: "1"})
	noMark(t, s, "items")
	leaseMark(t, s, "users")
}

func reconciliationClears(t *testing.T, s queue.Store) {
	markKey(t, s, item("1"))
	held := leaseMark(t, s, "items")
	must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now()}))
	time.Sleep(2 * lease)
	noMark(t, s, "items")
	if err := s.CommitReconciled(t.Context(), held, queue.Reconciled{}); !errors.Is(err, queue.ErrLeaseLost) {
		t.Errorf("the second time: %v, want ErrLeaseLost", err)
	}
	wantStats(t, s, func(got queue.Stats) bool { return got.Marks == 0 && got.OldestMark.IsZero() })
	// The next mark begins anew.
	markKey(t, s, item("1"))
	if got := leaseMark(t, s, "items"); got.Generation != 1 || !got.MarkedAt.Equal(time.Now()) {
		t.Errorf("got %+v", got)
	}
}

func movedMarkStays(t *testing.T, s queue.Store) {
	markKey(t, s, item("1"))
	held := leaseMark(t, s, "items")
	markKey(t, s, item("1"))
	must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now()}))
	if got := leaseMark(t, s, "items"); got.Generation != 2 {
		t.Errorf("got generation %d, want 2", got.Generation)
	}
}

func unsettledMarkStays(t *testing.T, s queue.Store) {
	settles := time.Now().Add(30 * time.Second)
	mark(t, s, queue.Mark{Key: item("1"), SettleAt: settles})
	held := leaseMark(t, s, "items")
	must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now()}))
	noMark(t, s, "items")

	held, err := s.LeaseMark(t.Context(), "items", lease)
	must(t, err)
	if now := time.Now(); !now.Equal(settles) {
		t.Errorf("leased at %v, want %v", now, settles)
	}
	must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now()}))
	time.Sleep(2 * time.Minute)
	noMark(t, s, "items")
}

func retriedMarkWaits(t *testing.T, s queue.Store) {
	markKey(t, s, item("1"))
	held := leaseMark(t, s, "items")
	at := time.Now().Add(5 * time.Minute)
	must(t, s.RetryMark(t.Context(), held, at, "502"))
	pending, err := s.Pending(t.Context(), 10)
	must(t, err)
	if len(pending) != 1 || pending[0].LastError != "502" || pending[0].Leased || !pending[0].DueAt.Equal(at) {
		t.Errorf("got %+v", pending)
	}
	wantStats(t, s, func(got queue.Stats) bool { return got.FailingMarks == 1 })
	held, err = s.LeaseMark(t.Context(), "items", lease)
	must(t, err)
	if !time.Now().Equal(at) || held.Tries != 1 || held.Generation != 1 {
		t.Errorf("got %+v at %v, want it at %v", held, time.Now(), at)
	}
	must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now()}))
	wantStats(t, s, func(got queue.Stats) bool { return got.FailingMarks == 0 && got.Marks == 0 })
}

func retriedMarkMoved(t *testing.T, s queue.Store) {
	markKey(t, s, item("1"))
	held := leaseMark(t, s, "items")
	markKey(t, s, item("1"))
	must(t, s.RetryMark(t.Context(), held, time.Now().Add(time.Hour), "502"))
	if got := leaseMark(t, s, "items"); got.Tries != 1 || got.Generation != 2 {
		t.Errorf("got %+v", got)
	}
}

func waitingMarkIsHastened(t *testing.T, s queue.Store) {
	markKey(t, s, item("1"))
	must(t, s.RetryMark(t.Context(), leaseMark(t, s, "items"), time.Now().Add(time.Hour), "502"))
	noMark(t, s, "items")
	markKey(t, s, item("1"))
	if got := leaseMark(t, s, "items"); got.Tries != 0 {
		t.Errorf("got %+v", got)
	}
}

func lostLease(t *testing.T, s queue.Store) {
	markKey(t, s, item("1"))
	held := leaseMark(t, s, "items")
	time.Sleep(lease)
	err := s.CommitReconciled(t.Context(), held, queue.Reconciled{
		AskedAt:  time.Now(),
		Snapshot: &event.Snapshot{Key: item("1"), Sequence: 1},
		Events:   []queue.Routed{{Event: event.Event{ID: "e", Key: item("1"), Sequence: 1}, Endpoints: []string{"erp"}}},
	})
	if !errors.Is(err, queue.ErrLeaseLost) {
		t.Fatalf("got %v, want ErrLeaseLost", err)
	}
	noDelivery(t, s, "erp")
	if _, err := s.Event(t.Context(), "e"); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("the event: %v, want ErrNotFound", err)
	}
	if got := leaseMark(t, s, "items"); got.Snapshot != nil {
		t.Errorf("there is a snapshot: %+v", got.Snapshot)
	}
}

func snapshotComesBack(t *testing.T, s queue.Store) {
	want := event.Snapshot{
		Key:      item("1"),
		Sequence: 7,
		Gone:     true,
		Hash:     []byte{1, 2, 3},
		Version:  "v1",
		Watched:  map[string]json.RawMessage{"items.state": json.RawMessage(`"paid"`), "items.missing": nil},
		Time:     time.Now().UTC(),

		ChangedAt:   time.Now().Add(-time.Hour).UTC(),
		Tenant:      "acme",
		Show:        []byte(`{"state":"paid"}`),
		ContentType: "application/json",
		Hidden:      "\x00id",
		Told:        true,
		Alias:       "2",
	}
	markKey(t, s, item("1"))
	held := leaseMark(t, s, "items")
	must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{AskedAt: time.Now(), Snapshot: &want}))
	markKey(t, s, item("1"), item("2"))
	for range 2 {
		got := leaseMark(t, s, "items")
		switch {
		case got.Key == item("2"):
			if got.Snapshot != nil {
				t.Errorf("got %+v for an object that was never seen", got.Snapshot)
			}
		case got.Snapshot == nil:
			t.Error("the snapshot is lost")
		default:
			if !got.Snapshot.Time.Equal(want.Time) || !got.Snapshot.ChangedAt.Equal(want.ChangedAt) {
				t.Errorf("taken at %v, changed at %v, want %v and %v", got.Snapshot.Time, got.Snapshot.ChangedAt, want.Time, want.ChangedAt)
			}
			got.Snapshot.Time, got.Snapshot.ChangedAt = want.Time, want.ChangedAt
			if !reflect.DeepEqual(*got.Snapshot, want) {
				t.Errorf("got %+v, want %+v", *got.Snapshot, want)
			}
			// A reconciliation without a snapshot leaves the old one.
			must(t, s.CommitReconciled(t.Context(), got, queue.Reconciled{AskedAt: time.Now()}))
			markKey(t, s, item("1"))
		}
	}
	if got := leaseMark(t, s, "items"); got.Snapshot == nil || got.Snapshot.Sequence != 7 {
		t.Errorf("got %+v", got.Snapshot)
	}
}
