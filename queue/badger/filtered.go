// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"math"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/cursor"
)

// Filtered implements [queue.Filtereds].
func (s *Store) Filtered(ctx context.Context, endpoint string, page queue.Page) ([]event.Event, queue.Cursor, error) {
	rows, after, err := newRows[event.Event](cursor.Filtered, page)
	if err != nil {
		return nil, "", err
	}
	from := uint64(math.MaxUint64)
	if after != nil {
		from = after.Position - 1
	}
	err = s.view(ctx, func(txn *badgerdb.Txn) error {
		return s.eachFiltered(ctx, txn, endpoint, from, func(position uint64) (bool, error) {
			if rows.full() {
				return rows.add(cursor.Place{}, event.Event{}), nil
			}
			record, err := s.readEvent(txn, position, false)
			if err != nil {
				return true, s.skip("event", err)
			}
			record.PreviousShow = nil
			return rows.add(cursor.Place{Position: position}, record.Event), nil
		})
	})
	return rows.page, rows.next, err
}

// CountFiltered implements [queue.Filtereds]. The rows expire with their events, so
// these need not be read.
func (s *Store) CountFiltered(ctx context.Context, endpoint string) (count int, err error) {
	err = s.view(ctx, func(txn *badgerdb.Txn) error {
		prefix := endpointPrefix(nil, kindFiltered, endpoint)
		return s.eachKey(ctx, txn, prefix, filteredKey(nil, endpoint, math.MaxUint64), func(*badgerdb.Item) (bool, error) {
			count++
			return count < queue.MaxCount, nil
		})
	})
	return count, err
}

// WasFiltered implements [queue.Filtereds].
func (s *Store) WasFiltered(ctx context.Context, endpoint, eventID string) (was bool, err error) {
	err = s.view(ctx, func(txn *badgerdb.Txn) error {
		position, err := s.positionOf(txn, eventID)
		if err == nil {
			_, err = txn.Get(filteredKey(nil, endpoint, position))
		}
		was = err == nil
		return ignoreGone(err)
	})
	return was, err
}

// eachFiltered visits the events that an endpoint's filter has left out, newest first.
func (s *Store) eachFiltered(
	ctx context.Context, txn *badgerdb.Txn, endpoint string, from uint64, visit func(position uint64) (bool, error),
) error {
	prefix := endpointPrefix(nil, kindFiltered, endpoint)
	return s.eachKey(ctx, txn, prefix, filteredKey(nil, endpoint, from), func(item *badgerdb.Item) (bool, error) {
		position, err := positionBehind(item.Key(), prefix)
		if err != nil {
			return true, s.skip("filtered event", err)
		}
		return visit(position)
	})
}
