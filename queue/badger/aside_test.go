// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"strconv"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// fillUp holds the committer up and fills its queue. The function that it returns lets the
// committer go on, and waits until what filled the queue is written.
func fillUp(t *testing.T, s *Store) (goOn func()) {
	t.Helper()
	stopped, release := hold(s)
	var wg sync.WaitGroup
	wg.Go(func() { markItem(t, s, "held") })
	stopped()
	for range maxQueue {
		wg.Go(func() { markItem(t, s, "filling") })
	}
	synctest.Wait()
	if got := len(s.committer.queue); got != maxQueue {
		t.Fatalf("the queue has %d writes, so it is not full", got)
	}
	return func() {
		release()
		wg.Wait()
	}
}

// noteMany returns the numbers of that many open intents.
func noteMany(t *testing.T, s *Store, n int) []queue.IntentID {
	t.Helper()
	var mu sync.Mutex
	var all []queue.IntentID
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			id, err := s.NoteIntent(t.Context(), queue.Intent{Resource: "items", Key: item(strconv.Itoa(i))})
			must(t, err)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, id)
		})
	}
	wg.Wait()
	return all
}

// An exchange that has ended does not wait until the disk has its end, however far the
// disk is behind: it would keep its connection. What it left is written all the same,
// also if the queue is closed.
func TestEndedExchangesDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const exchanges = 3000
		dir := t.TempDir()
		s := mustOpen(t, Options{Dir: dir})
		ids := noteMany(t, s, exchanges)
		goOn := fillUp(t, s)
		for i, id := range ids {
			mark := queue.Mark{Key: item("ended" + strconv.Itoa(i))}
			must(t, s.ResolveIntent(t.Context(), id, queue.Resolution{Marks: []queue.Mark{mark}}, false))
		}
		if waiting := s.committer.waiting.Load(); waiting != 0 {
			t.Errorf("%d wait", waiting)
		}
		goOn()
		must(t, s.Close())

		s = mustOpen(t, Options{Dir: dir})
		open, err := s.StaleIntents(t.Context(), exchanges)
		must(t, err)
		pending, err := s.Pending(t.Context(), 2*exchanges)
		must(t, err)
		if len(open) > 0 || len(pending) != exchanges+2 {
			t.Errorf("%d intents are open, and %d objects are marked", len(open), len(pending))
		}
	})
}

// What is put aside is limited by its memory. Beyond that, exchanges wait.
func TestAsideIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mustOpen(t, Options{})
		goOn := fillUp(t, s)
		marks := make([]queue.Mark, 1000)
		for i := range marks {
			marks[i].Key = item("one of many " + strconv.Itoa(i))
		}
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				must(t, s.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: marks}, false))
			})
		}
		synctest.Wait()
		a := s.committer.aside
		a.mu.Lock()
		kept := a.bytes
		a.mu.Unlock()
		if waiting := s.committer.waiting.Load(); waiting == 0 || kept > maxAside || kept < maxAside/2 {
			t.Errorf("%d wait, and %d bytes are kept", waiting, kept)
		}
		goOn()
		wg.Wait()
		pending, err := s.Pending(t.Context(), 2000)
		must(t, err)
		if len(pending) != len(marks)+2 {
			t.Errorf("%d objects are marked", len(pending))
		}
	})
}

// A write that is put aside when the committer has just emptied its queue wakes it.
func TestAsideWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mustOpen(t, Options{})
		for i := range 3 {
			wr := &resolveIntent{now: s.now(), marks: newMarkings([]queue.Mark{{Key: item(strconv.Itoa(i))}})}
			must(t, wr.marks.need(&wr.waiter))
			if !s.committer.aside.put(wr) {
				t.Fatal("there is no room")
			}
			synctest.Wait()
			pending, err := s.Pending(t.Context(), 10)
			must(t, err)
			if len(pending) != i+1 {
				t.Errorf("%d objects are marked, want %d", len(pending), i+1)
			}
		}
	})
}

// What one batch cannot hold is written as well, without any other write that wakes the
// committer.
func TestAsideIsEmptied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const writes = 2*maxWrites + 10
		s := mustOpen(t, Options{})
		for i := range writes {
			wr := &resolveIntent{now: s.now(), marks: newMarkings([]queue.Mark{{Key: item(strconv.Itoa(i))}})}
			must(t, wr.marks.need(&wr.waiter))
			if !s.committer.aside.put(wr) {
				t.Fatal("there is no room")
			}
		}
		synctest.Wait()
		pending, err := s.Pending(t.Context(), 2*writes)
		must(t, err)
		if len(pending) != writes {
			t.Errorf("%d objects are marked, want %d", len(pending), writes)
		}
	})
}
