// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/cursor"
)

// attemptPlaces are where attempts stand. Where there are two records of one
// attempt, the delivery's counts, as it is the later: after damage, attempts
// may have been counted from 1 again.
var attemptPlaces = []placeKind{
	{kind: kindDelivery, number: 1, wanted: holdsFirst},
	{kind: kindAttempt, numbered: true},
}

// holdsFirst reports whether the record of a delivery holds its first attempt.
func holdsFirst(record []byte) (bool, error) {
	f, err := parseDeliveryFields(record)
	return len(f.first) > 0, err
}

// readAttempt reads the attempt of a place.
func readAttempt(txn *badgerdb.Txn, place cursor.Place, kind *placeKind) (queue.Attempt, error) {
	item, err := txn.Get(kind.key(place))
	if err != nil {
		return queue.Attempt{}, err
	}
	record, err := item.ValueCopy(nil)
	if err != nil {
		return queue.Attempt{}, err
	}
	if kind.numbered {
		return parseAttemptRecord(place.Endpoint, uint32(place.Number), record)
	}
	a, held, err := parseFirst(place.Endpoint, record)
	if err == nil && !held {
		err = badgerdb.ErrKeyNotFound
	}
	return a, err
}

// onlyAttempt returns the attempt of a delivery that its first attempt decided: nearly all
// are so, and who shows a page of deliveries asks for each. It is false for all others.
func (s *Store) onlyAttempt(txn *badgerdb.Txn, filter queue.Filter) (a queue.Attempt, only bool, err error) {
	position, err := s.positionOf(txn, filter.EventID)
	if err != nil {
		return a, false, err
	}
	item, err := txn.Get(deliveryKey(nil, filter.Endpoint, position))
	if err != nil {
		return a, false, err
	}
	err = item.Value(func(record []byte) error {
		f, err := parseDeliveryFields(record)
		if err == nil && f.attempts == 1 {
			a, only, err = parseFirst(filter.Endpoint, bytes.Clone(record))
		}
		return err
	})
	return a, only && err == nil, err
}
