// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/internal/failpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

const (
	// maxQueue is how many callers may wait for the committer before others
	// have to wait for them.
	maxQueue = 2048
	// maxWaiting is how many more may wait for room in that queue. Without that
	// limit, memory would grow with the requests while the disk is slow: each is
	// an exchange that takes some 60 KiB (its stack, two buffers of its
	// connection, its header), so all that wait take 250 MiB.
	maxWaiting = 2048
	// maxWrites is how many writes share a transaction at most, so
	// that the first of them need not wait for too many others.
	maxWrites = 1024
)

// committer is the one goroutine that writes. While a batch is being synced,
// the next gathers in its queue.
type committer struct {
	s      *Store
	queue  chan write
	aside  *aside
	stopCh chan struct{}
	done   chan struct{}
	// waiting counts callers that wait for room in the queue; there are
	// maxWaiting at most.
	waiting    atomic.Int64
	maxWaiting int64
	// turn alternates between the queue and what was put aside.
	turn bool

	batch   *batch
	numbers *batchNumbers
	logs    *logSync
	// held are deliveries that are committed and were not synced, because the
	// sync failed. They wait for the next that does not.
	held []birth
	// unheard are the events of these batches.
	unheard []*routedEvent

	// busy is when the batch under way was begun, in nanoseconds since epoch; 0
	// while there is none.
	busy  atomic.Int64
	epoch time.Time

	// commits and syncs count what was done, for tests and operators.
	commits atomic.Uint64
	syncs   atomic.Uint64

	// yielded is true when the batch has waited a turn of the scheduler for
	// others.
	yielded bool

	// commitTxn and sync are the database's; tests make them fail.
	commitTxn func(b *batch) error
	sync      func() error
}

func newCommitter(s *Store, numbers *batchNumbers, logs *logSync) *committer {
	return &committer{
		s:         s,
		epoch:     time.Now(),
		queue:     make(chan write, maxQueue),
		aside:     newAside(),
		stopCh:    make(chan struct{}),
		done:      make(chan struct{}),
		batch:     newBatch(s),
		numbers:   numbers,
		commitTxn: func(b *batch) error { return s.ground.commit(b.txn.Commit) },
		logs:      logs,
		sync:      func() error { return s.ground.sync(logs.sync) },

		maxWaiting: maxWaiting,
	}
}

// stop ends the goroutine when the queue is empty. Nobody may submit any more.
func (c *committer) stop() {
	close(c.stopCh)
	<-c.done
}

func (c *committer) run() {
	defer close(c.done)
	// A disk that fails under a memory map must not end the process.
	debug.SetPanicOnFault(true)
	for {
		select {
		case wr := <-c.queue:
			c.gather(wr)
		case <-c.aside.some:
			if wr, ok := c.aside.take(); ok {
				c.gather(wr)
			}
		case <-c.stopCh:
			for wr, ok := c.waits(); ok; wr, ok = c.waits() {
				c.gather(wr)
			}
			return
		}
	}
}

// gather commits a write together with those that wait behind it.
func (c *committer) gather(wr write) {
	b := c.batch
	c.begin(b)
	defer c.busy.Store(0)
	c.yielded = false
	for more := true; more; wr, more = c.next() {
		if !b.fits(wr.wait()) {
			c.finish()
			c.begin(b)
		}
		b.add(wr)
		if b.failed != nil || len(b.writes) >= maxWrites {
			break
		}
	}
	c.finish()
}

func (c *committer) begin(b *batch) {
	c.busy.Store(max(1, int64(time.Since(c.epoch))))
	b.begin()
}

// stalled returns for how long the batch under way has been written.
func (c *committer) stalled() time.Duration {
	busy := c.busy.Load()
	if busy == 0 {
		return 0
	}
	return time.Since(c.epoch) - time.Duration(busy)
}

// next returns a write that can join a batch, if there is one. Waiting for
// others as long as a sync takes has been tried: it makes syncs fewer, and
// nothing faster.
func (c *committer) next() (wr write, ok bool) {
	if wr, ok = c.waits(); ok {
		return wr, true
	}
	// Callers whose writes were just ended are about to submit again: wait for
	// them, as a commit costs more than a turn of the scheduler.
	if !c.yielded {
		c.yielded = true
		runtime.Gosched()
		return c.waits()
	}
	return nil, false
}

// waits returns a write that waits, if there is one. One that was put aside is in
// turn with one of the queue: an exchange has a write of each kind.
func (c *committer) waits() (wr write, ok bool) {
	if c.turn = !c.turn; c.turn {
		if wr, ok = c.aside.take(); ok {
			return wr, true
		}
	}
	select {
	case wr = <-c.queue:
		return wr, true
	default:
		return c.aside.take()
	}
}

// finish commits the batch and ends its writes. Memory changes after the commit
// and in the order of the writes. Deliveries of new events appear after the
// sync, as a loss of power could otherwise give the place of a delivered event
// to another one, and take back what the reader of a feed has passed.
func (c *committer) finish() {
	b := c.batch
	if len(b.writes) == 0 {
		b.txn.Discard()
		return
	}
	failpoint.Here("batch.staged")
	if err := c.commit(b); err != nil {
		err = fmt.Errorf("committing to the queue: %w", err)
		for _, wr := range b.writes {
			wr.aborted(c.s)
			wr.wait().end(err)
		}
		// Badger may still refer to what it failed to write.
		c.batch = newBatch(c.s)
		return
	}
	failpoint.Here("batch.committed")
	c.s.lanes.expect(b.born)
	b.remember()
	b.keepIntents()
	for _, wr := range b.writes {
		wr.committed(c.s)
	}
	if !b.durable || b.rows == 0 {
		c.numbers.committed()
		c.end(b, nil)
		return
	}
	if queue.Durability(c.s.durability.Load()) == queue.Power {
		for _, wr := range b.writes {
			if w := wr.wait(); !w.durable {
				w.end(nil)
			}
		}
		c.syncs.Add(1)
		if err := c.sync(); err != nil {
			c.held = append(c.held, b.born...)
			c.unheard = append(c.unheard, b.fed...)
			err = fmt.Errorf("syncing the queue: %w", err)
			c.s.log.Error("the queue's disk failed", zap.Error(err))
			c.endDurable(b, err)
			return
		}
		c.numbers.synced()
		failpoint.Here("batch.synced")
		c.publish(b)
		c.endDurable(b, nil)
		return
	}
	c.numbers.committed()
	c.publish(b)
	c.end(b, nil)
}

func (c *committer) commit(b *batch) error {
	if b.failed != nil {
		b.txn.Discard()
		return b.failed
	}
	b.writeLog()
	if b.rows == 0 {
		b.txn.Discard()
		return nil
	}
	if err := c.s.ground.checkBatch(); err != nil {
		b.txn.Discard()
		c.s.rest()
		return err
	}
	if c.s.space.check() == queue.SpaceCritical {
		b.txn.Discard()
		c.s.rest()
		return queue.ErrFull
	}
	b.writeIntents()
	c.numbers.number(b)
	if b.failed != nil {
		b.txn.Discard()
		return b.failed
	}
	c.commits.Add(1)
	if err := c.commitTxn(b); err != nil {
		return err
	}
	c.numbers.next++
	return nil
}

func (c *committer) publish(b *batch) {
	c.s.lanes.publish(c.held)
	c.s.lanes.publish(b.born)
	c.s.events.publish()
	c.s.wake(c.unheard)
	c.s.wake(b.fed)
	c.held, c.unheard = nil, nil
}

func (c *committer) end(b *batch, err error) {
	for _, wr := range b.writes {
		wr.wait().end(err)
	}
}

func (c *committer) endDurable(b *batch, err error) {
	for _, wr := range b.writes {
		if w := wr.wait(); w.durable {
			w.end(err)
		}
	}
}
