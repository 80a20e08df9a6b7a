// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

// ending is the write of Cancel and of Expire.
type ending struct {
	waiter
	rows []selected
	as   queue.Status
	now  time.Time

	ended int
	busy  []selected
	lanes []*endedLane
}

// endedLane is a lane, or a part of one, that loses deliveries.
type endedLane struct {
	endpoint, key string
	// held is the lease of a lane that nobody else has leased. Otherwise leased
	// is true, and head is the position that is leased.
	held      schedule.Lease[lane]
	leased    bool
	head      uint64
	positions []uint64
}

func (wr *ending) changed() (int, []selected) { return wr.ended, wr.busy }

func (wr *ending) stage(b *batch) error {
	for i := range wr.rows {
		if err := wr.one(b, &wr.rows[i]); err != nil && b.failed == nil {
			b.failed = err
		}
	}
	return nil
}

func (wr *ending) one(b *batch, row *selected) error {
	d, err := readDelivery(b.txn, row.Endpoint, row.position)
	if err != nil || d.Status != queue.StatusPending || b.unpublished(row.Endpoint, row.position) {
		return ignoreGone(err)
	}
	object := objectName(d.Key)
	waiting, err := readLane(b.txn, laneKey(nil, d.Endpoint, object, row.position))
	if err != nil {
		return ignoreGone(err)
	}
	in, busy := wr.lane(b.s, d.Endpoint, object, row.position)
	switch {
	case busy:
		wr.busy = append(wr.busy, *row)
		return nil
	case in == nil, in.leased && in.head == row.position:
		return nil
	}
	b.decide(d.Endpoint, object, laneRow{position: row.position, laneRecord: waiting}, wr.as, wr.now)
	in.positions = append(in.positions, row.position)
	wr.ended++
	return nil
}

// lane returns the lane of a delivery, seized if nobody has leased it. It is
// busy while its leaseholder finds the head, or the committer ends the lease.
// It is nil if the lane is not known.
func (wr *ending) lane(s *Store, endpoint, object string, position uint64) (in *endedLane, busy bool) {
	for _, key := range []string{schedule.PartKey(object, position), object} {
		for _, in := range wr.lanes {
			if in.endpoint == endpoint && in.key == key {
				return in, false
			}
		}
		in := &endedLane{endpoint: endpoint, key: key}
		if held, seized := s.lanes.due.Seize(endpoint, key); seized {
			in.held = held
			wr.lanes = append(wr.lanes, in)
			return in, false
		}
		state, info, known := s.lanes.due.Get(endpoint, key)
		if !known {
			continue
		}
		_, _, part := schedule.ParsePart(key)
		if !info.Leased || info.Pinned || state.attempts == finished || !part && s.lanes.due.Order(endpoint) == queue.OrderNone {
			return nil, true
		}
		in.leased, in.head = true, state.head
		wr.lanes = append(wr.lanes, in)
		return in, false
	}
	return nil, false
}

func (wr *ending) committed(s *Store) {
	for _, in := range wr.lanes {
		switch {
		case len(in.positions) > 0:
			s.lanes.leave(in.endpoint, in.key, in.held.Fence, in.positions, in.held.Due, schedule.Nanos(wr.now))
		case !in.leased:
			wr.giveBack(s, in)
		}
	}
}

func (wr *ending) aborted(s *Store) {
	for _, in := range wr.lanes {
		if !in.leased {
			wr.giveBack(s, in)
		}
	}
}

func (wr *ending) giveBack(s *Store, in *endedLane) {
	s.lanes.due.Finish(in.held.Fence, func(*lane) (int64, bool) { return in.held.Due, true })
}
