// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"errors"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

// maxSuperseded is how many deliveries are superseded in one transaction.
const maxSuperseded = 64

// supersede is the write that decides all but the newest deliveries of a leased
// lane, and ends the lease.
type supersede struct {
	waiter
	fence uint64
	now   time.Time

	held      schedule.Lease[lane]
	positions []uint64
	left      int
}

func (s *Store) supersede(ctx context.Context, held schedule.Lease[lane]) error {
	wr := &supersede{fence: held.Fence, now: s.now()}
	for range maxSuperseded {
		wr.need(2*len(held.Group)+len(held.Key), 1<<10)
		wr.need(0)
	}
	err := s.submit(ctx, wr)
	if errors.Is(err, queue.ErrLeaseLost) {
		return nil
	}
	return err
}

func (wr *supersede) stage(b *batch) error {
	held, err := b.s.lanes.due.Pin(wr.fence)
	if err != nil {
		return err
	}
	wr.held = held
	var rows []laneRow
	it := b.txn.NewIterator(badgerdb.IteratorOptions{Prefix: lanePrefix(nil, held.Group, held.Key)})
	for it.Seek(laneKey(nil, held.Group, held.Key, held.Value.lowest())); it.Valid() && len(rows) <= maxSuperseded; it.Next() {
		position, err := lastNumber(it.Item().Key())
		if err != nil {
			continue
		}
		row := laneRow{position: position}
		_ = it.Item().Value(func(record []byte) error {
			row.laneRecord, err = parseLane(record)
			return err
		})
		rows = append(rows, row)
		if b.unpublished(held.Group, position) {
			// It is not counted yet, nor are those behind it.
			break
		}
	}
	it.Close()
	if wr.left = len(rows); wr.left == 0 {
		return nil
	}
	for _, row := range rows[:len(rows)-1] {
		b.decide(held.Group, held.Key, row, queue.StatusSuperseded, wr.now)
		wr.positions = append(wr.positions, row.position)
	}
	return nil
}

func (wr *supersede) committed(s *Store) {
	if len(wr.positions) == 0 {
		// The lane has fewer deliveries than it counted.
		s.lanes.recount(wr.held, wr.left)
		return
	}
	s.lanes.leave(wr.held.Group, wr.held.Key, wr.held.Fence, wr.positions, wr.held.Due, schedule.Nanos(wr.now))
}

func (wr *supersede) aborted(s *Store) {
	s.lanes.due.Unpin(wr.held.Fence)
}
