// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"sync"
	"testing"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// commitGone marks an object and commits that it is gone.
func commitGone(t *testing.T, s *Store, id string, sequence uint64) {
	t.Helper()
	markItem(t, s, id)
	held := leaseMark(t, s)
	must(t, s.CommitReconciled(t.Context(), held, queue.Reconciled{
		AskedAt: time.Now(), Snapshot: &event.Snapshot{Key: held.Key, Sequence: sequence, Gone: true, Time: time.Now()},
	}))
}

func forgetItems(t *testing.T, s *Store) int {
	t.Helper()
	n, next, err := s.Forget(t.Context(), time.Now().Add(time.Hour), event.Key{})
	must(t, err)
	if !next.IsZero() {
		t.Errorf("it ends at %v", next)
	}
	return n
}

// Floors outlive the process, also those that cannot be read.
func TestFloorSurvives(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir})
	commitGone(t, s, "1", 7)
	if n := forgetItems(t, s); n != 1 {
		t.Fatalf("%d are forgotten", n)
	}
	must(t, s.Close())
	s = mustOpen(t, Options{Dir: dir})
	markItem(t, s, "1")
	if held := leaseMark(t, s); held.Floor != 7 || held.Snapshot != nil {
		t.Errorf("it goes on after %d", held.Floor)
	}
	must(t, s.db.Update(func(txn *badgerdb.Txn) error { return txn.Set([]byte("fitems"), []byte{1}) }))
	must(t, s.Close())
	s = mustOpen(t, Options{Dir: dir})
	if held := leaseMark(t, s); held.Floor < 7 || s.Damaged() != 1 {
		t.Errorf("it goes on after %d, and %d records are damaged", held.Floor, s.Damaged())
	}
}

// Nothing is left of an object, not even parts of Shows that a crash left.
func TestNothingIsLeft(t *testing.T) {
	s := mustOpen(t, Options{})
	markItem(t, s, "1", "10")
	for range 2 {
		held := leaseMark(t, s)
		one := found(held)
		one.Snapshot.Show = bytes.Repeat([]byte{'x'}, 2*partSize)
		must(t, s.CommitReconciled(t.Context(), held, one))
	}
	must(t, s.db.Update(func(txn *badgerdb.Txn) error { return txn.Set(showKey(nil, item("1"), 0, 0), []byte("left")) }))
	commitGone(t, s, "1", 2)
	if n := forgetItems(t, s); n != 1 {
		t.Fatalf("%d are forgotten", n)
	}
	must(t, s.db.View(func(txn *badgerdb.Txn) error {
		if left := partsOf(txn, item("1")); len(left) != 0 {
			t.Errorf("%d parts are left", len(left))
		}
		if others := partsOf(txn, item("10")); len(others) != 2 {
			t.Errorf("the other object has %d parts", len(others))
		}
		return nil
	}))
}

// An object that changes while others are looked at is kept.
func TestChangedWhileForgetting(t *testing.T) {
	s := mustOpen(t, Options{})
	looked := func() *forget {
		t.Helper()
		wr := new(forget)
		must(t, s.view(t.Context(), func(txn *badgerdb.Txn) (err error) {
			wr.rows, _, err = s.forgettable(t.Context(), txn, time.Now().Add(time.Hour), event.Key{})
			return err
		}))
		if len(wr.rows) != 1 {
			t.Fatalf("%d can be forgotten", len(wr.rows))
		}
		return wr
	}
	commitGone(t, s, "1", 1)
	wr := looked()
	commitGone(t, s, "1", 3)
	must(t, s.submit(t.Context(), wr))
	if wr.forgotten != 0 {
		t.Error("it has changed since")
	}
	wr = looked()
	markItem(t, s, "1")
	must(t, s.submit(t.Context(), wr))
	if wr.forgotten != 0 {
		t.Error("it is marked")
	}
	// And within one transaction.
	held := leaseMark(t, s)
	wr = looked()
	stopped, goOn := hold(s)
	var wg sync.WaitGroup
	wg.Go(func() { markItem(t, s, "0") })
	stopped()
	wg.Go(func() { must(t, s.CommitReconciled(t.Context(), held, found(held))) })
	queued(t, s, 1)
	wg.Go(func() { must(t, s.submit(t.Context(), wr)) })
	queued(t, s, 2)
	goOn()
	wg.Wait()
	if known, err := s.Object(t.Context(), item("1")); err != nil || known.Sequence != 4 || wr.forgotten != 0 {
		t.Errorf("got %+v, %v", known, err)
	}
}
