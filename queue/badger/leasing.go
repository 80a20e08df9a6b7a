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

// objectOf returns the name of the object of a leased lane, or part of one.
func objectOf(held schedule.Lease[lane]) string {
	object, _, _ := schedule.ParsePart(held.Key)
	return object
}

// errOthersFirst is returned for a lane whose head is not to be delivered now.
var errOthersFirst = errors.New("another delivery is first")

// SetOrder implements [queue.Deliveries].
func (s *Store) SetOrder(ctx context.Context, endpoint string, order queue.Order) error {
	if err := order.Check(); err != nil {
		return err
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	s.lanes.due.SetOrder(endpoint, order)
	return nil
}

// LeaseDelivery implements [queue.Deliveries].
func (s *Store) LeaseDelivery(ctx context.Context, endpoint string, options queue.LeaseOptions) (queue.DeliveryLease, error) {
	for {
		held, err := s.lanes.due.Lease(ctx, endpoint, options.For)
		if err != nil {
			return queue.DeliveryLease{}, err
		}
		s.settle(&held)
		if options.Coalesce && held.Order != queue.OrderNone && held.Value.pending > 1 {
			if err := s.supersede(ctx, held); err != nil {
				// It may be too late for that, and no matter then.
				_ = s.lanes.release(held.Fence, s.now())
				return queue.DeliveryLease{}, err
			}
			continue
		}
		var leased queue.DeliveryLease
		// The caller has the lease now, so it is not the context that ends
		// this.
		err = s.readLazily(context.Background(), func(l *lazyRead) error {
			var err error
			leased, err = s.begin(l, &held, options)
			return err
		})
		switch {
		case err == nil:
			return leased, nil
		case errors.Is(err, queue.ErrClosed), errors.Is(err, queue.ErrNotAdmitted):
			return queue.DeliveryLease{}, err
		case !errors.Is(err, errOthersFirst) && !errors.Is(err, queue.ErrLeaseLost):
			s.giveUp(held, err)
		}
	}
}

// begin finds the delivery that a lease is for, and reads it.
func (s *Store) begin(l *lazyRead, held *schedule.Lease[lane], options queue.LeaseOptions) (queue.DeliveryLease, error) {
	dueAt, err := s.findHead(l, held)
	if err != nil {
		return queue.DeliveryLease{}, err
	}
	waits := schedule.Nanos(dueAt) > schedule.Nanos(s.now())
	_, _, part := schedule.ParsePart(held.Key)
	switch {
	case held.Order == queue.OrderNone && !part:
		if err := s.split(held, dueAt); err != nil {
			return queue.DeliveryLease{}, err
		}
	case waits, held.Order == queue.OrderEndpoint && !s.lanes.due.IsFirst(held.Fence):
		// A head that was just found may wait for its retry, or be behind that
		// of another lane.
		err := s.lanes.due.Yield(held.Fence, func(lane *lane) int64 {
			if lane.goBack() || !waits {
				return held.Due
			}
			return schedule.Nanos(dueAt)
		})
		return queue.DeliveryLease{}, errors.Join(errOthersFirst, err)
	}
	leased, err := s.readDelivery(l, *held, options.Admit)
	if errors.Is(err, queue.ErrNotAdmitted) {
		yielded := s.lanes.due.Yield(held.Fence, func(lane *lane) int64 {
			lane.goBack()
			return held.Due
		})
		return queue.DeliveryLease{}, errors.Join(err, yielded)
	}
	return leased, err
}

// split makes the head of a leased lane a part of its own: others of the
// object need not wait for it.
func (s *Store) split(held *schedule.Lease[lane], dueAt time.Time) error {
	part := lane{head: held.Value.head, pending: 1, attempts: held.Value.attempts}
	due := held.Due
	if !dueAt.IsZero() {
		due = schedule.Nanos(dueAt)
	}
	taken, err := s.lanes.due.Split(held.Fence, part.head, due, func(whole *lane) (lane, bool) {
		whole.pending--
		whole.lookFrom(part.head + 1)
		whole.goBack()
		return part, whole.pending > 0
	})
	if err != nil {
		return err
	}
	if taken.Fence == 0 {
		return errOthersFirst
	}
	*held = taken
	return nil
}

// giveUp ends the lease of a lane that cannot be read.
func (s *Store) giveUp(held schedule.Lease[lane], err error) {
	s.damaged("lane", err)
	held, pinErr := s.lanes.due.Pin(held.Fence)
	switch {
	case pinErr != nil:
		// The lease has passed meanwhile; the lane is another's.
	case errors.Is(err, errDamaged) || errors.Is(err, badgerdb.ErrKeyNotFound):
		// Nothing can be done with it.
		s.lanes.drop(held)
	default:
		// The others need not wait for it.
		s.lanes.due.Finish(held.Fence, func(*lane) (int64, bool) { return schedule.Nanos(s.now().Add(postponed)), true })
	}
}

// settle takes over what has changed of a lane since its last lease.
func (s *Store) settle(held *schedule.Lease[lane]) {
	s.lanes.due.Update(held.Group, held.Key, func(lane *lane) {
		lane.goBack()
		held.Value = *lane
	})
}

// findHead finds the first pending delivery of a leased lane, if it is not
// known, and returns when that is due; the zero time if it was known.
func (s *Store) findHead(l *lazyRead, held *schedule.Lease[lane]) (time.Time, error) {
	if held.Value.attempts != finished {
		return time.Time{}, nil
	}
	head, row, err := s.nextInLane(l.begun(), held, held.Value.head+1)
	if errors.Is(err, badgerdb.ErrKeyNotFound) {
		// Better slow than never.
		head, row, err = s.nextInLane(l.begun(), held, 0)
	}
	if err != nil {
		return time.Time{}, err
	}
	before := held.Value.head
	s.lanes.due.Update(held.Group, held.Key, func(lane *lane) {
		// The lease may have passed while we looked, and the lane moved on; or
		// the committer had to know the head, and what it has found is it.
		if lane.head == before && lane.attempts == finished {
			lane.head, lane.attempts = head, row.Attempts
		}
		held.Value = *lane
	})
	return row.DueAt, nil
}

// nextInLane finds a lane's first row from a position on that is not a part
// already.
func (s *Store) nextInLane(txn *badgerdb.Txn, held *schedule.Lease[lane], from uint64) (uint64, laneRecord, error) {
	for {
		head, row, err := firstInLane(txn, held.Group, held.Key, from)
		if err != nil || held.Order != queue.OrderNone {
			return head, row, err
		}
		if !s.lanes.due.Has(held.Group, schedule.PartKey(held.Key, head)) && s.inLane(held, head) {
			return head, row, nil
		}
		from = head + 1
	}
}

// inLane tells whether a row is still there: a part that was decided is gone
// from memory only after its row.
func (s *Store) inLane(held *schedule.Lease[lane], position uint64) bool {
	txn := s.db.NewTransaction(false)
	defer txn.Discard()
	_, err := txn.Get(laneKey(nil, held.Group, held.Key, position))
	return err == nil
}

// firstInLane finds a lane's first row from a position on.
func firstInLane(txn *badgerdb.Txn, endpoint, object string, from uint64) (uint64, laneRecord, error) {
	it := txn.NewIterator(badgerdb.IteratorOptions{Prefix: lanePrefix(nil, endpoint, object)})
	defer it.Close()
	it.Seek(laneKey(nil, endpoint, object, from))
	if !it.Valid() {
		return 0, laneRecord{}, badgerdb.ErrKeyNotFound
	}
	position, err := lastNumber(it.Item().Key())
	if err != nil {
		return 0, laneRecord{}, err
	}
	var row laneRecord
	err = it.Item().Value(func(record []byte) error {
		var err error
		row, err = parseLane(record)
		return err
	})
	if errors.Is(err, errDamaged) {
		// The key is all that is needed to go on.
		return position, laneRecord{}, nil
	}
	return position, row, err
}

// maxSuperseded is how many deliveries are superseded in one transaction.
const maxSuperseded = 64

// supersede is the operation that decides all but the newest deliveries of a
// leased lane, and ends the lease.
type supersede struct {
	waiter
	fence uint64
	now   time.Time

	held      schedule.Lease[lane]
	positions []uint64
	left      int
}

func (s *Store) supersede(ctx context.Context, held schedule.Lease[lane]) error {
	op := &supersede{fence: held.Fence, now: s.now()}
	for range maxSuperseded {
		op.need(2*len(held.Group)+len(held.Key), 1<<10)
		op.need(0)
	}
	err := s.submit(ctx, op)
	if errors.Is(err, queue.ErrLeaseLost) {
		return nil
	}
	return err
}

func (op *supersede) stage(b *batch) error {
	held, err := b.s.lanes.due.Pin(op.fence)
	if err != nil {
		return err
	}
	op.held = held
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
	if op.left = len(rows); op.left == 0 {
		return nil
	}
	for _, row := range rows[:len(rows)-1] {
		b.decide(held.Group, held.Key, row, queue.StatusSuperseded, op.now)
		op.positions = append(op.positions, row.position)
	}
	return nil
}

func (op *supersede) committed(s *Store) {
	if len(op.positions) == 0 {
		// There are not as many as was thought.
		s.lanes.recount(op.held, op.left)
		return
	}
	s.lanes.leave(op.held.Group, op.held.Key, op.held.Fence, op.positions, op.held.Due, schedule.Nanos(op.now))
}

func (op *supersede) aborted(s *Store) {
	s.lanes.due.Unpin(op.held.Fence)
}

// laneRow is a row of a lane.
type laneRow struct {
	position uint64
	laneRecord
}

// decide writes that a pending delivery was decided without an attempt.
func (b *batch) decide(endpoint, object string, row laneRow, status queue.Status, now time.Time) {
	b.delete(b.key(func(k []byte) []byte { return laneKey(k, endpoint, object, row.position) }))
	d, err := readDelivery(b.txn, endpoint, row.position)
	if err != nil {
		// Its record is lost; that it is no longer pending is what counts.
		return
	}
	d.Status, d.FinishedAt = status, now
	d.Attempts, d.PriorAttempts = int(row.Attempts), int(row.Prior)
	b.setUntil(
		b.key(func(k []byte) []byte { return deliveryKey(k, endpoint, row.position) }),
		b.key(func(k []byte) []byte { return appendDelivery(k, &d, nil) }),
		b.s.expiry())
}
