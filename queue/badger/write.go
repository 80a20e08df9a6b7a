// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// write is one caller's change of the database, for the committer. The
// committer calls stage, and after the commit, or without one, one of the
// others.
type write interface {
	wait() *waiter
	// stage checks the write and adds its rows to the batch. If it fails, it
	// has added none.
	stage(b *batch) error
	// committed applies the write to memory.
	committed(s *Store)
	// aborted takes back the effects of stage outside of the batch.
	aborted(s *Store)
}

// waiter is a caller's side of a write.
type waiter struct {
	// bytes and entries are about the size and the number of its rows.
	bytes   int
	entries int
	// durable is set if the caller waits for the sync.
	durable bool

	state atomic.Int32
	done  chan error
	log   *zap.Logger
}

// The states of a waiter.
const (
	waiting int32 = iota
	taken
	left
)

func (w *waiter) wait() *waiter { return w }

// need counts one more record.
func (w *waiter) need(sizes ...int) {
	w.entries++
	// Badger counts some bytes of its own for each entry.
	w.bytes += 32
	for _, size := range sizes {
		w.bytes += size
	}
}

// take reports whether the caller still waits. From here on the write is done
// even if the caller leaves.
func (w *waiter) take() bool {
	return w.state.CompareAndSwap(waiting, taken)
}

func (w *waiter) end(err error) {
	switch {
	case w.done != nil:
		w.done <- err
	case err != nil:
		w.log.Error("closing an intent failed; it stays open and is found again", zap.Error(err))
	}
}

// done returns a channel for a waiter. Most callers wait for less than a
// millisecond, so channels are reused.
func (s *Store) done() chan error {
	if done, ok := s.idle.Get().(chan error); ok {
		return done
	}
	return make(chan error, 1)
}

// submit hands a write to the committer and waits until it is done.
func (s *Store) submit(ctx context.Context, wr write) error {
	w := wr.wait()
	done := s.done()
	w.done = done
	if err := s.enqueue(ctx, wr); err != nil {
		s.idle.Put(done)
		return err
	}
	select {
	case err := <-done:
		s.idle.Put(done)
		return err
	case <-ctx.Done():
		if w.state.CompareAndSwap(waiting, left) {
			s.idle.Put(done)
		}
		return ctx.Err()
	}
}

// handOver hands a write to the committer that its caller does not wait for. It
// waits only while more was put aside than memory allows.
func (s *Store) handOver(ctx context.Context, wr write) error {
	return s.give(ctx, wr, s.committer.aside.put)
}

// enqueue hands a write to the committer. It waits only while the committer is
// far behind, and fails with [queue.ErrBusy] if too many wait.
func (s *Store) enqueue(ctx context.Context, wr write) error {
	return s.give(ctx, wr, func(write) bool { return false })
}

// give hands a write to the committer: at once if there is room in the queue or
// if the write can be put aside, otherwise in its turn.
func (s *Store) give(ctx context.Context, wr write, putAside func(write) bool) error {
	if w := wr.wait(); w.bytes > maxBytes || w.entries > maxEntries {
		return queue.ErrTooLarge
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	select {
	case s.committer.queue <- wr:
		return nil
	default:
	}
	if putAside(wr) {
		return nil
	}
	defer s.committer.waiting.Add(-1)
	if s.committer.waiting.Add(1) > s.committer.maxWaiting {
		return queue.ErrBusy
	}
	select {
	case s.committer.queue <- wr:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return queue.ErrClosed
	}
}
