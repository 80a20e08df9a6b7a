// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"
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
		leased.PriorAttempts, leased.ExtraAttempts, leased.HastenedFrom = int(row.Prior), int(row.Extra), row.From
	}
	record, format, err := s.eventToLease(l, held.Value.head, held.Group, admit)
	if errors.Is(err, errDamaged) {
		// The lane goes on without the event.
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
	leased.Format = format
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
	delivery.ExtraAttempts, delivery.HastenedFrom = leased.ExtraAttempts, leased.HastenedFrom
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
		// Its record is lost, but it is no longer pending, which is enough.
		return
	}
	d.Status, d.FinishedAt = status, now
	d.Attempts, d.PriorAttempts = int(row.Attempts), int(row.Prior)
	b.setUntil(
		b.key(func(k []byte) []byte { return deliveryKey(k, endpoint, row.position) }),
		b.key(func(k []byte) []byte { return appendDelivery(k, &d, nil) }),
		b.s.expiryOf(row.position))
}
