// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// A node is a process that has the queue open. It counts its beats in a row. Whoever sees
// that a row does not move while it moves its own several times calls the other dead: no
// clock is compared, and nobody is called dead by one who was away itself. What a dead node
// had noted is stale then. A node that was called dead comes back under another number.

// membership is this process's number among the nodes, under which it numbers what it makes.
type membership struct {
	node int64
	last atomic.Uint64
}

// numberBits is how many things a node can number: a trillion.
const numberBits = 40

// number returns a new number, which no other node gives. It is made before anything is
// written, so that it is known even if nobody knows whether the write was done.
func (m *membership) number() int64 {
	return m.node<<numberBits | int64(m.last.Add(1))
}

// join makes this process a node, under a new number.
func (s *Store) join(ctx context.Context) error {
	m := &membership{}
	err := s.pool.QueryRow(ctx, "insert into webhooks.node (id) values (nextval('webhooks.node_number')) returning id").Scan(&m.node)
	if err == nil {
		s.self.Store(m)
	}
	return err
}

// leave says that this node is gone: what it noted is stale, and what it leased is free. It
// names what it gives back, as the tables may be long.
func (s *Store) leave(ctx context.Context) {
	m, now := s.self.Load(), s.now()
	held := s.doubts.copy()
	s.marks.each(now, func(fence int64, object []byte) { held.mark(object, fence) })
	s.deliveries.each(now, func(fence int64, h holding) { held.lane(h.row.endpoint, h.lane, fence) })
	err := s.transact(ctx, loose, func(t *step) error {
		b := &batch{}
		held.fill(b)
		b.do("delete from webhooks.lease where node = $1", m.node)
		b.do("update webhooks.node set dead = true where id = $1", m.node)
		return t.end(ctx, b)
	})
	if err != nil {
		s.logger.Warn("the queue's database did not hear that this node stops; others find out in some seconds", zap.Error(err))
	}
}

// silence is after how many beats of ours a node counts as dead that has had none.
const silence = 5

// beats watches the nodes.
type beats struct {
	every time.Duration
	mu    sync.Mutex
	// last is when our last beat went well, and heard what we know of the others.
	last  time.Time
	heard map[int64]*heard
}

type heard struct {
	beat int64
	// missed counts our beats since the last one of it.
	missed int
}

// hear takes what a beat of ours has found, and returns the nodes that are dead. After a
// pause of our own it begins anew: the others may have been kept from beating as well.
func (b *beats) hear(now time.Time, found map[int64]int64) (dead []int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	anew := now.Sub(b.last) > 2*b.every
	b.last = now
	next := make(map[int64]*heard, len(found))
	for id, beat := range found {
		known := b.heard[id]
		if known == nil || known.beat != beat || anew {
			next[id] = &heard{beat: beat}
			continue
		}
		next[id] = known
		if known.missed++; known.missed >= silence {
			dead = append(dead, id)
		}
	}
	b.heard = next
	return dead
}

// beat moves this node's row, and looks at those of the others.
func (s *Store) beat(ctx context.Context) error {
	m := s.self.Load()
	alive, found := 0, make(map[int64]int64)
	var id, count int64
	b := &batch{}
	b.count(&alive, "update webhooks.node set beat = beat + 1 where id = $1 and not dead", m.node)
	b.each([]any{&id, &count}, func() error {
		found[id] = count
		return nil
	}, "select id, beat from webhooks.node where not dead and id <> $1", m.node)
	if err := s.pool.SendBatch(ctx, &b.Batch).Close(); err != nil {
		return err
	}
	if alive == 0 {
		s.logger.Warn("this node was taken for dead by another one, as it was away for too long; it goes on under another number")
		if err := s.join(ctx); err != nil {
			return err
		}
	}
	for _, id := range s.beats.hear(time.Now(), found) {
		// Only the row that was seen not to move.
		if err := s.bury(ctx, id, found[id]); err != nil {
			return err
		}
		s.logger.Warn("a node of the queue is not heard of any more; others take over what it had noted", zap.Int64("node", id))
	}
	return nil
}

// live beats, measures the time, and does the store's own upkeep until the store is closed.
func (s *Store) live() {
	ticker := time.NewTicker(s.beats.every)
	defer ticker.Stop()
	for {
		select {
		case <-s.closed:
			return
		case <-ticker.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*s.beats.every)
		for _, do := range []func(context.Context) error{s.beat, s.measure, s.freeDoubts, s.keepDays} {
			if err := do(ctx); err != nil {
				s.logger.Warn("the queue's database does not answer as it should", zap.Error(err))
				break
			}
		}
		cancel()
	}
}

// LeaseMaintenance implements [queue.Store].
func (s *Store) LeaseMaintenance(ctx context.Context, name string, d time.Duration) (held bool, err error) {
	now := s.now()
	err = s.read(ctx, func(b *batch) {
		var node int64
		b.one(&held, []any{&node}, `insert into webhooks.lease as l (name, node, until) values ($1, $2, $3)
			on conflict (name) do update set node = excluded.node, until = excluded.until
			where l.node = excluded.node or l.until <= $4 or exists (select from webhooks.node n where n.id = l.node and n.dead)
			returning node`, []byte(name), s.self.Load().node, now+int64(d), now)
	})
	return held && err == nil, err
}
