// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// hold makes the committer stop before its next commit. It returns a function
// that waits until it has stopped, and one that lets it go on.
func hold(s *Store) (stopped, goOn func()) {
	reached, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	commit := s.committer.commitTxn
	s.committer.commitTxn = func(b *batch) error {
		once.Do(func() {
			close(reached)
			<-release
		})
		return commit(b)
	}
	return func() { <-reached }, func() { close(release) }
}

// queued waits until as many writes wait for the committer.
func queued(t *testing.T, s *Store, n int) {
	t.Helper()
	for len(s.committer.queue) < n {
		if t.Context().Err() != nil {
			t.Fatal("the writes do not come")
		}
		runtime.Gosched()
	}
}

// Callers that come while a batch is committed share the next one, see the
// effects of the others in it, and fail alone.
func TestSharedTransaction(t *testing.T) {
	s := mustOpen(t, Options{})
	markItem(t, s, "1")
	leased := leaseMark(t, s)
	lost := leased
	lost.Fence += 100

	stopped, goOn := hold(s)
	var wg sync.WaitGroup
	results := make([]error, 6)
	submit := func(i int, do func() error) {
		wg.Go(func() { results[i] = do() })
		if i == 0 {
			stopped()
			return
		}
		queued(t, s, i)
	}
	ctx := t.Context()
	mark := func(id string) func() error {
		return func() error {
			return s.ResolveIntent(ctx, 0, queue.Resolution{Marks: []queue.Mark{{Key: item(id)}}}, true)
		}
	}
	submit(0, mark("0"))
	commits, syncs := s.committer.commits.Load(), s.committer.syncs.Load()
	submit(1, mark("2"))
	submit(2, mark("2"))
	submit(3, mark("1"))
	submit(4, func() error { return s.CommitReconciled(ctx, lost, found(lost, "crm")) })
	submit(5, func() error { return s.CommitReconciled(ctx, leased, found(leased, "erp")) })
	goOn()
	wg.Wait()

	for i, err := range results {
		if want := i == 4; errors.Is(err, queue.ErrLeaseLost) != want || !want && err != nil {
			t.Errorf("write %d: %v", i, err)
		}
	}
	// The first commit was counted before it was held.
	if got := s.committer.commits.Load() - commits; got != 1 {
		t.Errorf("%d commits, want 1", got)
	}
	if got := s.committer.syncs.Load() - syncs; got != 2 {
		t.Errorf("%d syncs, want one for the first and one for the others", got)
	}
	pending, err := s.Pending(ctx, 10)
	must(t, err)
	generations := make(map[string]uint64)
	for _, p := range pending {
		generations[p.Key.ID] = p.Generation
	}
	// The mark of 1 moved in the same transaction before it was reconciled.
	if len(generations) != 3 || generations["0"] != 1 || generations["2"] != 2 || generations["1"] != 2 {
		t.Errorf("got %v", generations)
	}
	if leasable(s, "erp") != 1 || leasable(s, "crm") != 0 {
		t.Error("the wrong event was committed")
	}
}

// A mark that is cleared and made again in one transaction is there after it.
func TestClearedAndMarked(t *testing.T) {
	s := mustOpen(t, Options{})
	markItem(t, s, "1")
	leased := leaseMark(t, s)
	stopped, goOn := hold(s)
	var wg sync.WaitGroup
	wg.Go(func() { markItem(t, s, "0") })
	stopped()
	wg.Go(func() { must(t, s.CommitReconciled(t.Context(), leased, found(leased))) })
	queued(t, s, 1)
	wg.Go(func() { markItem(t, s, "1") })
	queued(t, s, 2)
	goOn()
	wg.Wait()
	pending, err := s.Pending(t.Context(), 10)
	must(t, err)
	if len(pending) != 2 || pending[0].Generation != 1 || pending[1].Generation != 1 {
		t.Errorf("got %+v", pending)
	}
	if held := leaseMark(t, s); held.Key != item("0") {
		t.Errorf("got %v", held.Key)
	}
	if held := leaseMark(t, s); held.Key != item("1") || held.Snapshot == nil {
		t.Errorf("got %v", held.Key)
	}
}

// A commit that fails fails all that share it, changes nothing, and is
// forgotten.
func TestFailedCommit(t *testing.T) {
	s := mustOpen(t, Options{})
	markItem(t, s, "1")
	leased := leaseMark(t, s)
	want := dump(t, s)

	broken := errors.New("no space left")
	commit := s.committer.commitTxn
	s.committer.commitTxn = func(b *batch) error {
		b.txn.Discard()
		return broken
	}
	ctx := t.Context()
	if _, err := s.NoteIntent(ctx, queue.Intent{}); !errors.Is(err, broken) {
		t.Errorf("NoteIntent: %v", err)
	}
	if err := s.ResolveIntent(ctx, 0, queue.Resolution{Marks: []queue.Mark{{Key: item("2")}}}, true); !errors.Is(err, broken) {
		t.Errorf("ResolveIntent: %v", err)
	}
	if err := s.CommitReconciled(ctx, leased, found(leased, "erp")); !errors.Is(err, broken) {
		t.Errorf("CommitReconciled: %v", err)
	}
	if err := s.RetryMark(ctx, leased, leased.MarkedAt, ""); !errors.Is(err, broken) {
		t.Errorf("RetryMark: %v", err)
	}
	if got := dump(t, s); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// The lease is still held.
	s.committer.commitTxn = commit
	must(t, s.CommitReconciled(ctx, leased, found(leased, "erp")))
	finish(t, s, "erp", queue.Verdict{Status: queue.StatusDelivered})
}

// A delivery whose event may not survive a loss of power is not leased: after
// the loss, another event could have its sequence.
func TestFailedSync(t *testing.T) {
	s := mustOpen(t, Options{})
	markItem(t, s, "1")
	leased := leaseMark(t, s)
	broken := errors.New("input/output error")
	sync := s.committer.sync
	s.committer.sync = func() error { return broken }
	if err := s.CommitReconciled(t.Context(), leased, found(leased, "erp")); !errors.Is(err, broken) {
		t.Errorf("CommitReconciled: %v", err)
	}
	if leasable(s, "erp") != 0 {
		t.Error("the delivery can be leased before a sync")
	}
	if stats, err := s.Stats(t.Context()); err != nil || stats.Marks != 0 || stats.PendingDeliveries["erp"] != 1 {
		t.Errorf("what was marked is neither a mark nor a delivery: %+v, %v", stats, err)
	}
	s.committer.sync = sync
	markItem(t, s, "2")
	if leasable(s, "erp") != 1 {
		t.Error("the delivery cannot be leased after a sync")
	}
}

// Only batches that somebody waits for are synced, and with [queue.Process]
// none is.
func TestSyncs(t *testing.T) {
	for durability, want := range map[queue.Durability]uint64{queue.Power: 4, queue.Process: 0} {
		s := mustOpen(t, Options{Durability: durability})
		ctx := t.Context()
		id, err := s.NoteIntent(ctx, queue.Intent{Resource: "items"})
		must(t, err)
		must(t, s.ResolveIntent(ctx, id, queue.Resolution{Marks: []queue.Mark{{Key: item("1")}}}, false))
		must(t, s.RetryMark(ctx, leaseMark(t, s), s.now(), "busy"))
		held := leaseMark(t, s)
		must(t, s.CommitReconciled(ctx, held, found(held, "erp")))
		finish(t, s, "erp", queue.Verdict{Status: queue.StatusDelivered})
		markItem(t, s, "2", "3")
		if got := s.committer.syncs.Load(); got != want {
			t.Errorf("%v: %d syncs, want %d", durability, got, want)
		}
	}
}

// A caller who leaves before its write is begun has done nothing.
func TestLeavingEarly(t *testing.T) {
	s := mustOpen(t, Options{})
	stopped, goOn := hold(s)
	var wg sync.WaitGroup
	wg.Go(func() { markItem(t, s, "0") })
	stopped()
	ctx, cancel := context.WithCancel(t.Context())
	wg.Go(func() {
		err := s.ResolveIntent(ctx, 0, queue.Resolution{Marks: []queue.Mark{{Key: item("1")}}}, true)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want Canceled", err)
		}
		goOn()
	})
	queued(t, s, 1)
	cancel()
	wg.Wait()
	markItem(t, s, "2")
	pending, err := s.Pending(t.Context(), 10)
	must(t, err)
	if len(pending) != 2 {
		t.Errorf("got %+v", pending)
	}
}

// Writes that do not fit into one transaction are split, and one that never
// will is refused.
func TestLargeWrites(t *testing.T) {
	s := mustOpen(t, Options{Durability: queue.Process})
	markItem(t, s, "1", "2", "3", "4", "5", "6")
	var wg sync.WaitGroup
	stopped, goOn := hold(s)
	wg.Go(func() { markItem(t, s, "0") })
	stopped()
	for i := range 6 {
		held := leaseMark(t, s)
		wg.Go(func() {
			reconciled := found(held, "erp")
			reconciled.Events[0].Payload = bytes.Repeat([]byte{byte(i)}, 3<<20)
			must(t, s.CommitReconciled(t.Context(), held, reconciled))
		})
		queued(t, s, i+1)
	}
	goOn()
	wg.Wait()
	for range 6 {
		if held := finish(t, s, "erp", queue.Verdict{Status: queue.StatusDelivered}); len(held.Event.Payload) != 3<<20 {
			t.Errorf("the payload has %d bytes", len(held.Event.Payload))
		}
	}

	markItem(t, s, "9")
	held := leaseMark(t, s)
	for held.Key != item("9") {
		held = leaseMark(t, s)
	}
	reconciled := found(held)
	reconciled.Events[0].Payload = make([]byte, 8<<20)
	if err := s.CommitReconciled(t.Context(), held, reconciled); !errors.Is(err, queue.ErrTooLarge) {
		t.Errorf("8 MiB: %v, want ErrTooLarge", err)
	}
	many := make([]queue.Mark, 10_000)
	for i := range many {
		many[i].Key = item(strconv.Itoa(1000 + i))
	}
	must(t, s.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: many}, true))
	long := event.Key{Resource: "items", ID: string(make([]byte, 70_000))}
	if err := s.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: []queue.Mark{{Key: long}}}, true); !errors.Is(err, queue.ErrTooLarge) {
		t.Errorf("a long key: %v, want ErrTooLarge", err)
	}
}

// Closing ends the writes that were submitted before it, and loses none.
func TestCloseDrains(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir})
	const writers = 64
	var wg sync.WaitGroup
	var mu sync.Mutex
	acknowledged := 0
	began := make(chan struct{}, writers)
	for i := range writers {
		wg.Go(func() {
			for n := 0; ; n++ {
				key := item(strconv.Itoa(i) + "/" + strconv.Itoa(n))
				err := s.ResolveIntent(context.Background(), 0, queue.Resolution{Marks: []queue.Mark{{Key: key}}}, n%2 == 0)
				if n == 1 {
					began <- struct{}{}
				}
				if errors.Is(err, queue.ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				acknowledged++
				mu.Unlock()
			}
		})
	}
	for range writers {
		<-began
	}
	must(t, s.Close())
	wg.Wait()
	s = mustOpen(t, Options{Dir: dir})
	stats, err := s.Stats(t.Context())
	must(t, err)
	if stats.Marks != acknowledged {
		t.Errorf("%d marks are there, %d were acknowledged", stats.Marks, acknowledged)
	}
}

// Postponing a look costs no transaction: a budget may have room for few of
// very many.
func TestPostponedLook(t *testing.T) {
	s := mustOpen(t, Options{Durability: queue.Process})
	must(t, s.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: []queue.Mark{{Key: item("1"), Hints: queue.HintLooked}}}, true))
	held := leaseMark(t, s)
	commits := s.committer.commits.Load()
	must(t, s.RetryMark(t.Context(), held, s.now(), ""))
	must(t, s.RetryMark(t.Context(), leaseMark(t, s), s.now(), ""))
	if got := s.committer.commits.Load(); got != commits {
		t.Errorf("%d commits", got-commits)
	}
}

// A delivery that is committed and not synced cannot be cancelled: it is in no
// lane yet.
func TestUnsyncedDeliveries(t *testing.T) {
	s := mustOpen(t, Options{})
	publish(t, s, "1", "erp")
	markItem(t, s, "1")
	leased := leaseMark(t, s)
	sync := s.committer.sync
	s.committer.sync = func() error { return errors.New("input/output error") }
	if err := s.CommitReconciled(t.Context(), leased, found(leased, "erp")); err == nil {
		t.Error("the sync did not fail")
	}
	// It is durable with the next sync that works, which is this write's.
	s.committer.sync = sync
	if n, _, err := s.Cancel(t.Context(), queue.Selection{}, queue.Page{}); err != nil || n != 1 {
		t.Errorf("cancelled %d, want the one that is synced: %v", n, err)
	}
	markItem(t, s, "2")
	finish(t, s, "erp", queue.Verdict{Status: queue.StatusDelivered})
	if stats, err := s.Stats(t.Context()); err != nil || len(stats.PendingDeliveries) != 0 || len(stats.Lanes) != 0 {
		t.Errorf("left: %+v, %v", stats, err)
	}
}
