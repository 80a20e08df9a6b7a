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

// LeaseDelivery implements [queue.Deliveries].
func (s *Store) LeaseDelivery(ctx context.Context, endpoint string, lease time.Duration) (queue.DeliveryLease, error) {
	for {
		held, err := s.lanes.due.Lease(ctx, endpoint, lease)
		if err != nil {
			return queue.DeliveryLease{}, err
		}
		var leased queue.DeliveryLease
		// The caller has the lease now, so it is not the context that ends
		// this.
		err = s.view(context.Background(), func(txn *badgerdb.Txn) error {
			if err := s.findHead(txn, &held); err != nil {
				return err
			}
			leased, err = s.readDelivery(txn, held)
			return err
		})
		if err == nil {
			return leased, nil
		}
		if errors.Is(err, queue.ErrClosed) {
			return queue.DeliveryLease{}, err
		}
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
}

// findHead finds the first pending delivery of a leased lane, if the last one
// was decided.
func (s *Store) findHead(txn *badgerdb.Txn, held *schedule.Lease[lane]) error {
	if held.Value.attempts != finished {
		return nil
	}
	options := badgerdb.IteratorOptions{Prefix: lanePrefix(nil, held.Group, held.Key)}
	it := txn.NewIterator(options)
	defer it.Close()
	it.Seek(laneKey(nil, held.Group, held.Key, held.Value.head+1))
	if !it.Valid() {
		return badgerdb.ErrKeyNotFound
	}
	head, err := lastNumber(it.Item().Key())
	if err != nil {
		return err
	}
	before := held.Value.head
	held.Value.head, held.Value.attempts = head, 0
	s.lanes.due.Update(held.Group, held.Key, func(lane *lane) {
		// The lease may have passed while we looked, and the lane moved on.
		if lane.head == before && lane.attempts == finished {
			lane.head, lane.attempts = head, 0
		}
	})
	return nil
}

func (s *Store) readDelivery(txn *badgerdb.Txn, held schedule.Lease[lane]) (queue.DeliveryLease, error) {
	leased := queue.DeliveryLease{
		Delivery: queue.Delivery{
			Endpoint: held.Group,
			Status:   queue.StatusPending,
			Attempts: int(held.Value.attempts),
			DueAt:    time.Unix(0, held.Due).UTC(),
		},
		Fence: held.Fence,
	}
	record, err := s.readEvent(txn, held.Value.head, true)
	if errors.Is(err, errDamaged) {
		// The lane goes on without it.
		s.damaged("event", err)
		err = queue.ErrNotFound
	}
	if errors.Is(err, queue.ErrNotFound) {
		return s.readExpired(txn, held, leased)
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
	return leased, nil
}

// readExpired completes the lease of a delivery whose event is no longer kept.
func (s *Store) readExpired(txn *badgerdb.Txn, held schedule.Lease[lane], leased queue.DeliveryLease) (queue.DeliveryLease, error) {
	delivery, err := readDelivery(txn, held.Group, held.Value.head)
	if errors.Is(err, badgerdb.ErrKeyNotFound) || errors.Is(err, errDamaged) {
		// The lane itself knows enough to end the delivery.
		lane, laneErr := readLane(txn, laneKey(nil, held.Group, held.Key, held.Value.head))
		if laneErr != nil {
			return leased, laneErr
		}
		delivery.EventID = lane.EventID
		delivery.Key, err = parseObject([]byte(held.Key))
	}
	if err != nil {
		return leased, err
	}
	delivery.Endpoint, delivery.Status = leased.Endpoint, leased.Status
	delivery.Attempts, delivery.DueAt = leased.Attempts, leased.DueAt
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
	return s.lanes.due.Release(lease.Fence)
}

// finishAttempt is the operation of FinishAttempt.
type finishAttempt struct {
	waiter
	lease   queue.DeliveryLease
	verdict queue.Verdict
	attempt []byte
	now     time.Time

	held schedule.Lease[lane]
}

// FinishAttempt implements [queue.Deliveries].
func (s *Store) FinishAttempt(ctx context.Context, lease queue.DeliveryLease, attempt queue.Attempt, verdict queue.Verdict) error {
	switch verdict.Status {
	case queue.StatusPending, queue.StatusDelivered, queue.StatusDead:
	default:
		return fmt.Errorf("%q is not a status of a delivery", verdict.Status)
	}
	attempt.EventID = lease.EventID
	op := &finishAttempt{
		lease:   lease,
		verdict: verdict,
		attempt: appendAttempt(make([]byte, 0, 64+len(attempt.Error)+len(attempt.Response)), &attempt),
		now:     s.now(),
	}
	names := len(lease.Endpoint) + len(lease.Key.Resource) + len(lease.Key.ID) + len(lease.EventID)
	op.need(len(lease.Endpoint)+17, len(op.attempt))
	op.need(names, 64)
	op.need(names, len(lease.EventType), 64)
	return s.submit(ctx, op)
}

func (op *finishAttempt) stage(b *batch) error {
	held, err := b.s.lanes.due.Pin(op.lease.Fence)
	if err != nil {
		return err
	}
	op.held = held
	endpoint, position := held.Group, held.Value.head
	number := held.Value.attempts + 1
	expires := b.s.expiry()
	b.setUntil(b.key(func(k []byte) []byte { return attemptKey(k, endpoint, position, number) }), op.attempt, expires)

	inLane := b.key(func(k []byte) []byte { return laneKey(k, endpoint, held.Key, position) })
	if op.verdict.Status == queue.StatusPending {
		next := laneRecord{EventID: op.lease.EventID, Attempts: number, DueAt: op.verdict.RetryAt}
		b.set(inLane, b.key(func(k []byte) []byte { return appendLane(k, &next) }))
		return nil
	}
	b.delete(inLane)
	decided := op.lease.Delivery
	decided.Status = op.verdict.Status
	decided.Attempts = int(number)
	decided.FinishedAt = op.now
	b.setUntil(
		b.key(func(k []byte) []byte { return deliveryKey(k, endpoint, position) }),
		b.key(func(k []byte) []byte { return appendDelivery(k, &decided) }),
		expires)
	return nil
}

func (op *finishAttempt) committed(s *Store) {
	if op.verdict.Status == queue.StatusPending {
		s.lanes.retry(op.held, op.verdict.RetryAt)
		return
	}
	s.lanes.advance(op.held, op.now)
}

func (op *finishAttempt) aborted(s *Store) {
	s.lanes.due.Unpin(op.held.Fence)
}
