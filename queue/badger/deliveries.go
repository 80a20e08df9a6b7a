// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"errors"
	"fmt"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

func (s *Store) readDelivery(l *lazyRead, held schedule.Lease[lane], admit func(size int64) bool) (queue.DeliveryLease, error) {
	leased := queue.DeliveryLease{
		Delivery: queue.Delivery{
			Endpoint: held.Group,
			Status:   queue.StatusPending,
			Attempts: int(held.Value.attempts),
			DueAt:    time.Unix(0, held.Due).UTC(),
		},
		Fence: held.Fence,
	}
	if held.Value.attempts > 0 {
		row, err := readLane(l.begun(), laneKey(nil, held.Group, objectOf(held), held.Value.head))
		if err != nil {
			return leased, err
		}
		leased.PriorAttempts = int(row.Prior)
	}
	record, err := s.eventToLease(l, held.Value.head, admit)
	if errors.Is(err, errDamaged) {
		// The lane goes on without it.
		s.damaged("event", err)
		err = queue.ErrNotFound
	}
	if errors.Is(err, queue.ErrNotFound) {
		return s.readExpired(l.begun(), held, leased)
	}
	if err != nil {
		return leased, err
	}
	leased.EventID = record.ID
	leased.EventType = record.Type
	leased.Key = record.Key
	leased.Sequence = record.Sequence
	leased.CreatedAt = record.CreatedAt
	leased.Event = record.Event
	leased.Format = record.format(held.Group)
	return leased, nil
}

// readExpired completes the lease of a delivery whose event is no longer kept.
func (s *Store) readExpired(txn *badgerdb.Txn, held schedule.Lease[lane], leased queue.DeliveryLease) (queue.DeliveryLease, error) {
	delivery, err := readDelivery(txn, held.Group, held.Value.head)
	if errors.Is(err, badgerdb.ErrKeyNotFound) || errors.Is(err, errDamaged) {
		// The lane itself knows enough to end the delivery.
		lane, laneErr := readLane(txn, laneKey(nil, held.Group, objectOf(held), held.Value.head))
		if laneErr != nil {
			return leased, laneErr
		}
		delivery.EventID = lane.EventID
		delivery.Key, err = parseObject([]byte(objectOf(held)))
	}
	if err != nil {
		return leased, err
	}
	delivery.Endpoint, delivery.Status = leased.Endpoint, leased.Status
	delivery.Attempts, delivery.PriorAttempts, delivery.DueAt = leased.Attempts, leased.PriorAttempts, leased.DueAt
	leased.Delivery = delivery
	leased.Event = event.Event{ID: delivery.EventID, Key: delivery.Key}
	leased.Expired = true
	return leased, nil
}

func readDelivery(txn *badgerdb.Txn, endpoint string, position uint64) (queue.Delivery, error) {
	item, err := txn.Get(deliveryKey(nil, endpoint, position))
	if err != nil {
		return queue.Delivery{}, err
	}
	var delivery queue.Delivery
	err = item.Value(func(record []byte) error {
		var err error
		delivery, err = parseDelivery(endpoint, record)
		return err
	})
	return delivery, err
}

func readLane(txn *badgerdb.Txn, key []byte) (laneRecord, error) {
	item, err := txn.Get(key)
	if err != nil {
		return laneRecord{}, err
	}
	var lane laneRecord
	err = item.Value(func(record []byte) error {
		var err error
		lane, err = parseLane(record)
		return err
	})
	return lane, err
}

// ReleaseDelivery implements [queue.Deliveries]. Leases are kept in memory
// only, so there is nothing to write.
func (s *Store) ReleaseDelivery(ctx context.Context, lease queue.DeliveryLease) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	return s.lanes.release(lease.Fence, s.now())
}

// PostponeDelivery implements [queue.Deliveries].
func (s *Store) PostponeDelivery(ctx context.Context, lease queue.DeliveryLease, until time.Time) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	return s.lanes.release(lease.Fence, until)
}

// finishAttempt is the operation of FinishAttempt.
type finishAttempt struct {
	waiter
	delivery queue.Delivery
	fence    uint64
	verdict  queue.Verdict
	attempt  []byte // its fields
	now      time.Time

	held schedule.Lease[lane]
}

// FinishAttempt implements [queue.Deliveries].
func (s *Store) FinishAttempt(ctx context.Context, lease queue.DeliveryLease, attempt queue.Attempt, verdict queue.Verdict) error {
	switch verdict.Status {
	case queue.StatusPending, queue.StatusDelivered, queue.StatusDead:
	default:
		return fmt.Errorf("%q is not a status of a delivery", verdict.Status)
	}
	return s.submit(ctx, newFinishAttempt(&lease, &attempt, verdict, s.now()))
}

func newFinishAttempt(lease *queue.DeliveryLease, attempt *queue.Attempt, verdict queue.Verdict, now time.Time) *finishAttempt {
	op := &finishAttempt{
		delivery: lease.Delivery,
		fence:    lease.Fence,
		verdict:  verdict,
		attempt:  appendAttemptFields(make([]byte, 0, 64+len(attempt.Error)+len(attempt.Response)), attempt),
		now:      now,
	}
	names := len(lease.Endpoint) + len(lease.Key.Resource) + len(lease.Key.ID) + len(lease.EventID)
	// The attempt is a record of its own, or a part of the delivery's.
	op.need(len(lease.Endpoint)+17, len(lease.EventID)+16, len(op.attempt))
	op.need(names, 64)
	op.need(names, len(lease.EventType), 64)
	return op
}

func (op *finishAttempt) stage(b *batch) error {
	held, err := b.s.lanes.due.Pin(op.fence)
	if err != nil {
		return err
	}
	op.held = held
	endpoint, position := held.Group, held.Value.head
	number := held.Value.attempts + 1
	expires := b.s.expiry()
	final := op.verdict.Status != queue.StatusPending
	var first []byte
	if final && number == 1 {
		first = op.attempt
	} else {
		b.setAttempt(endpoint, position, number, op.delivery.EventID, op.attempt, expires)
	}

	inLane := b.key(func(k []byte) []byte { return laneKey(k, endpoint, objectOf(held), position) })
	if !final {
		next := laneRecord{EventID: op.delivery.EventID, Attempts: number, DueAt: op.verdict.RetryAt, Prior: uint32(op.delivery.PriorAttempts)}
		b.set(inLane, b.key(func(k []byte) []byte { return appendLane(k, &next) }))
		return nil
	}
	b.delete(inLane)
	decided := op.delivery
	decided.Status = op.verdict.Status
	decided.Attempts = int(number)
	decided.FinishedAt = op.now
	b.setUntil(
		b.key(func(k []byte) []byte { return deliveryKey(k, endpoint, position) }),
		b.key(func(k []byte) []byte { return appendDelivery(k, &decided, first) }),
		expires)
	return nil
}

// setAttempt writes an attempt as a row of its own.
func (b *batch) setAttempt(endpoint string, position uint64, number uint32, eventID string, fields []byte, expires uint64) {
	b.setUntil(
		b.key(func(k []byte) []byte { return attemptKey(k, endpoint, position, number) }),
		b.key(func(k []byte) []byte { return appendAttempt(k, eventID, fields) }),
		expires)
}

func (op *finishAttempt) committed(s *Store) {
	if op.verdict.Status == queue.StatusPending {
		s.lanes.retry(op.held, op.verdict.RetryAt, op.now)
		return
	}
	s.lanes.advance(op.held, op.now)
}

func (op *finishAttempt) aborted(s *Store) {
	s.lanes.due.Unpin(op.held.Fence)
}
