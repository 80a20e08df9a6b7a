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

// EventsOf implements [queue.History]. The events of a tenant are found by its index, and
// those from before there was one in the log, as are those of the operator, who may have
// nearly all.
func (s *Store) EventsOf(ctx context.Context, tenant string, filter queue.Filter, page queue.Page) ([]event.Event, queue.Cursor, error) {
	rows, after, err := newRows[event.Event](cursor.TenantEvents, page)
	if err != nil {
		return nil, "", err
	}
	filter.EventID = ""
	from := uint64(math.MaxUint64)
	if after != nil {
		from = after.Position - 1
	}
	looked := 0
	visit := func(item *badgerdb.Item, txn *badgerdb.Txn, position uint64) (bool, error) {
		if looked++; looked > queue.MaxEventsLooked {
			rows.next = cursor.Encode(rows.list, cursor.Place{Position: position + 1})
			return false, nil
		}
		record, err := s.listedEvent(txn, item, position)
		if err != nil {
			return true, s.skip("event", err)
		}
		if !matches(filter, &record) || !record.InFeedOf(tenant) {
			return true, nil
		}
		return rows.add(cursor.Place{Position: position}, record.Event), nil
	}
	err = s.view(ctx, func(txn *badgerdb.Txn) error { return s.eachOfTenant(ctx, txn, tenant, from, visit) })
	return rows.page, rows.next, err
}

// eachOfTenant visits the rows in which events of a tenant are, newest first from a position
// on, until visit returns false.
func (s *Store) eachOfTenant(
	ctx context.Context, txn *badgerdb.Txn, tenant string, from uint64,
	visit func(item *badgerdb.Item, txn *badgerdb.Txn, position uint64) (bool, error),
) error {
	more := true
	each := func(prefix []byte, from, downTo uint64) error {
		return s.eachKey(ctx, txn, prefix, placed(prefix, from), func(item *badgerdb.Item) (_ bool, err error) {
			position, err := positionBehind(item.Key(), prefix)
			switch {
			case err != nil:
				return true, s.skip("event", err)
			case position <= downTo:
				return false, nil
			}
			more, err = visit(item, txn, position)
			return more, err
		})
	}
	unindexed := uint64(math.MaxUint64)
	if tenant != "" {
		unindexed = s.events.withoutIndex()
		if err := each(endpointPrefix(nil, kindTenant, indexedTenant(tenant)), from, unindexed); err != nil || !more {
			return err
		}
	}
	return each([]byte{kindEvent}, min(from, unindexed), 0)
}

// listedEvent reads the event of a row, which is the event's own or one of an index,
// without its Shows.
func (s *Store) listedEvent(txn *badgerdb.Txn, item *badgerdb.Item, position uint64) (record eventRecord, err error) {
	if item.Key()[0] == kindEvent {
		record, err = s.eventOf(txn, item, position, false)
	} else {
		record, err = s.readEvent(txn, position, false)
	}
	record.PreviousShow = nil
	return record, err
}
