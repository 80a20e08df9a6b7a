// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

// HastenDeliveries implements [queue.Deliveries]. What waits is known from
// memory, so it costs nothing where nothing does.
func (s *Store) HastenDeliveries(ctx context.Context, endpoint string, which queue.Hasten) (int, error) {
	if err := s.awaitLanes(ctx, endpoint); err != nil {
		return 0, err
	}
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	waiting := s.waiting(endpoint, which)
	s.leave()
	hastened := 0
	for len(waiting) > 0 {
		n := min(len(waiting), maxChanged)
		wr := &hasten{endpoint: endpoint, heads: waiting[:n], now: s.now()}
		for i := range wr.heads {
			wr.need(len(endpoint)+len(wr.heads[i].object), roomForID)
		}
		if err := s.submit(ctx, wr); err != nil {
			return hastened, err
		}
		hastened += len(wr.hastened)
		waiting = waiting[n:]
	}
	return hastened, nil
}

// roomForID is for the rest of a row, whose event id is not known yet. Ids that the
// module makes are far shorter.
const roomForID = 1 << 10

// waitingHead is the head of a lane that may wait for a retry.
type waitingHead struct {
	object string
	// position is the head's; unless it is known, that from which on to look for
	// it.
	position uint64
	known    bool
}

// waiting returns the heads that may be hastened.
func (s *Store) waiting(endpoint string, which queue.Hasten) []waitingHead {
	only := ""
	if which.Key != (event.Key{}) {
		only = objectName(which.Key)
	}
	var heads []waitingHead
	now := schedule.Nanos(s.now())
	s.lanes.due.Heads(endpoint, which.Next, func(key string, value lane, due int64) {
		object, _, _ := schedule.ParsePart(key)
		known := value.attempts != finished
		if only != "" && object != only || known && due <= now {
			return
		}
		head := waitingHead{object: object, position: value.rank(), known: known}
		if known {
			head.position = value.head
		}
		heads = append(heads, head)
	})
	return heads
}

// hasten is the write of HastenDeliveries.
type hasten struct {
	waiter
	endpoint string
	heads    []waitingHead
	now      time.Time

	hastened []birth
}

func (wr *hasten) stage(b *batch) error {
	for i := range wr.heads {
		if err := wr.one(b, &wr.heads[i]); err != nil && b.failed == nil {
			b.failed = err
		}
	}
	return nil
}

func (wr *hasten) one(b *batch, head *waitingHead) error {
	position := head.position
	if !head.known {
		var err error
		if position, _, err = firstInLane(b.txn, wr.endpoint, head.object, position); err != nil {
			return ignoreGone(err)
		}
	}
	key := b.key(func(k []byte) []byte { return laneKey(k, wr.endpoint, head.object, position) })
	row, err := readLane(b.txn, key)
	if err != nil || !row.DueAt.After(wr.now) || b.s.lanes.holds(wr.endpoint, head.object, position) {
		return ignoreGone(err)
	}
	row.hasten(wr.now)
	b.set(key, b.key(func(k []byte) []byte { return appendLane(k, &row) }))
	wr.hastened = append(wr.hastened, birth{endpoint: wr.endpoint, object: head.object, position: position, due: schedule.Nanos(wr.now)})
	return nil
}

func (wr *hasten) committed(s *Store) {
	for i := range wr.hastened {
		s.lanes.hasten(&wr.hastened[i])
	}
}

func (wr *hasten) aborted(*Store) {}
