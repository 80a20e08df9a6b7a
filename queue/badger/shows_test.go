// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"errors"
	"testing"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

func showing(show []byte) queue.Reconciled {
	return queue.Reconciled{AskedAt: time.Now(), Snapshot: &event.Snapshot{Key: item("1"), Show: show}}
}

func countKeys(t *testing.T, s *Store, kind byte) (keys int) {
	t.Helper()
	must(t, s.db.View(func(txn *badgerdb.Txn) error {
		return each(txn, kind, func(*badgerdb.Item) error {
			keys++
			return nil
		})
	}))
	return keys
}

func expiryOf(t *testing.T, s *Store, key []byte) uint64 {
	t.Helper()
	var expires uint64
	must(t, s.db.View(func(txn *badgerdb.Txn) error {
		item, err := txn.Get(key)
		if err == nil {
			expires = item.ExpiresAt()
		}
		return err
	}))
	return expires
}

// The parts of a Show go when another replaces it.
func TestPartsOfShows(t *testing.T) {
	s := mustOpen(t, Options{Durability: queue.Process})
	for _, step := range []struct{ size, parts int }{
		{3 * partSize, 3}, {partSize + 1, 2}, {partSize, 0}, {2 * partSize, 2}, {0, 0},
	} {
		markItem(t, s, "1")
		must(t, s.CommitReconciled(t.Context(), leaseMark(t, s), showing(make([]byte, step.size))))
		if got := countKeys(t, s, kindShow); got != step.parts {
			t.Errorf("a Show of %d bytes has left %d parts, want %d", step.size, got, step.parts)
		}
	}
}

// A caller without the lease cannot write into the Show of the leaseholder.
func TestPartsOfLostLease(t *testing.T) {
	clock := newClock(time.Now())
	s := mustOpen(t, Options{Durability: queue.Process, Now: clock.now})
	markItem(t, s, "1")
	first := leaseMark(t, s)
	// The first has looked which slot is free before it loses the lease.
	stager := showStager{s: s, fence: first.Fence}
	stager.add(bytes.Repeat([]byte("a"), 2*partSize), false, func(part int) []byte { return showKey(nil, item("1"), 1, part) })
	clock.add(2 * time.Hour)
	second := leaseMark(t, s)
	want := bytes.Repeat([]byte("b"), 2*partSize)
	must(t, s.CommitReconciled(t.Context(), second, showing(want)))
	if err := stager.submit(t.Context(), &commitReconciled{}); !errors.Is(err, queue.ErrLeaseLost) {
		t.Errorf("got %v, want ErrLeaseLost", err)
	}
	got, err := s.Object(t.Context(), item("1"))
	must(t, err)
	if !bytes.Equal(got.Show, want) {
		t.Error("the Show is another's")
	}
}

// An object whose Show is damaged is known all the same.
func TestDamagedShow(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir})
	markItem(t, s, "1")
	must(t, s.CommitReconciled(t.Context(), leaseMark(t, s), showing(make([]byte, 2*partSize))))
	must(t, s.Close())
	rewrite(t, dir, func(txn *badgerdb.Txn) error { return txn.Delete(showKey(nil, item("1"), 1, 1)) })
	s = mustOpen(t, Options{Dir: dir})
	markItem(t, s, "1")
	held := leaseMark(t, s)
	if held.Snapshot == nil || held.Snapshot.Show != nil || s.Damaged() != 1 {
		t.Errorf("got %+v, with %d damaged rows", held.Snapshot, s.Damaged())
	}
	must(t, s.CommitReconciled(t.Context(), held, showing(nil)))
}
