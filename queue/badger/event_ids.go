// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// ownerTag is the beginning of a hash of the tenant that owns an event. It stands with the
// event's position under its id, so that who asks for another's event is answered before
// the event is read, as who asks for none is.
type ownerTag [8]byte

func tagOf(tenant string) (tag ownerTag) {
	sum := sha256.Sum256([]byte(tenant))
	copy(tag[:], sum[:])
	return tag
}

// appendEventID encodes: owner's tag, position. Earlier versions write the position alone,
// and read the end.
func appendEventID(b []byte, owner ownerTag, position uint64) []byte {
	return binary.BigEndian.AppendUint64(append(b, owner[:]...), position)
}

// eventIDRow is where an event is, and whose.
type eventIDRow struct {
	position uint64
	// owner is the owner's tag, nil if an earlier version has written the row.
	owner []byte
}

func parseEventID(value []byte) (row eventIDRow, err error) {
	row.position, err = lastNumber(value)
	if err == nil && len(value) == len(ownerTag{})+8 {
		row.owner = bytes.Clone(value[:len(ownerTag{})])
	}
	return row, err
}

// mayBeOf reports whether a tenant may have the event, as far as the row tells. The operator
// may have nearly all.
func (r *eventIDRow) mayBeOf(tenant string) bool {
	tag := tagOf(tenant)
	return tenant == "" || r.owner == nil || bytes.Equal(r.owner, tag[:])
}

// positionOf returns the position of an event by its id, or
// [queue.ErrNotFound].
func (s *Store) positionOf(txn *badgerdb.Txn, id string) (uint64, error) {
	row, err := readEventID(txn, id)
	return row.position, err
}

func readEventID(txn *badgerdb.Txn, id string) (row eventIDRow, err error) {
	if len(id) > maxKey {
		return row, queue.ErrNotFound
	}
	item, err := txn.Get(eventIDKey(nil, id))
	if errors.Is(err, badgerdb.ErrKeyNotFound) {
		return row, queue.ErrNotFound
	}
	if err != nil {
		return row, err
	}
	err = item.Value(func(value []byte) error {
		row, err = parseEventID(value)
		return err
	})
	return row, err
}

// EventOf implements [queue.History].
func (s *Store) EventOf(ctx context.Context, tenant, id string) (event.Event, error) {
	var found event.Event
	err := s.view(ctx, func(txn *badgerdb.Txn) error {
		row, err := readEventID(txn, id)
		if err == nil && !row.mayBeOf(tenant) {
			err = queue.ErrNotFound
		}
		if err != nil {
			return err
		}
		record, err := s.readEvent(txn, row.position, true)
		if err == nil && !record.VisibleTo(tenant) {
			err = queue.ErrNotFound
		}
		if err == nil {
			found = record.Event
		}
		return err
	})
	return found, err
}

// DeliveriesOf implements [queue.History]. Without an event, it looks for the deliveries of
// one that there never is.
func (s *Store) DeliveriesOf(ctx context.Context, eventID string, endpoints ...string) ([]queue.Delivery, error) {
	var found []queue.Delivery
	err := s.view(ctx, func(txn *badgerdb.Txn) error {
		position, err := s.positionOf(txn, eventID)
		if err := s.skip("event", err); err != nil {
			return err
		}
		for _, endpoint := range endpoints {
			if len(endpoint) > maxKey {
				continue
			}
			d, err := readDelivery(txn, endpoint, position)
			if err == nil {
				err = s.joinLane(txn, position, &d)
			}
			if err == nil {
				found = append(found, d)
			}
			if err := s.skip("delivery", err); err != nil {
				return err
			}
		}
		return nil
	})
	return found, err
}
