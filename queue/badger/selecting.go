// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"errors"
	"math"
	"slices"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/cursor"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

// maxLooked is how many rows one call of an operator's verb looks at.
const maxLooked = 10_000

// selected is a delivery that an operator has selected.
type selected struct {
	position uint64
	queue.Delivery
}

// selecting is one call's part of the selection.
type selecting struct {
	rows []selected
	next queue.Cursor
}

// take takes a row, and reports whether there is room for more.
func (g *selecting) take(list cursor.List, row selected, matches bool, looked, limit int) bool {
	if matches {
		g.rows = append(g.rows, row)
	}
	if len(g.rows) < limit && looked < maxLooked {
		return true
	}
	g.next = cursor.Encode(list, cursor.Place{Position: row.position, Endpoint: row.Endpoint})
	return false
}

// selectDeliveries returns a part of the selected deliveries, oldest first by
// endpoint.
func (s *Store) selectDeliveries(ctx context.Context, selection queue.Selection, page queue.Page, limit int) (selecting, error) {
	var found selecting
	after, ok, err := cursor.Decode(cursor.Selection, page.Cursor)
	if err != nil {
		return found, err
	}
	looked := 0
	err = s.view(ctx, func(txn *badgerdb.Txn) error {
		if selection.EventID != "" {
			return s.selectOfEvent(ctx, txn, selection, &found)
		}
		prefix := []byte{kindDelivery}
		if selection.Endpoint != "" {
			prefix = endpointPrefix(nil, kindDelivery, selection.Endpoint)
		}
		from := prefix
		if selection.Endpoint != "" {
			from = placed(prefix, s.behind(selection.From)+1)
		}
		if ok {
			from = next(deliveryKey(nil, after.Endpoint, after.Position))
		}
		return s.eachFrom(ctx, txn, prefix, from, func(item *badgerdb.Item) (bool, error) {
			row, err := deliveryOf(item)
			if err != nil {
				return true, s.skip("delivery", err)
			}
			looked++
			matches := selects(&selection, &row.Delivery)
			if matches {
				matches, err = s.permitted(txn, &selection, &row)
			}
			return found.take(cursor.Selection, row, matches, looked, limit), err
		})
	})
	return found, err
}

// selectOfEvent returns the selected deliveries of one event. They are one
// part, as there are no more than endpoints.
func (s *Store) selectOfEvent(ctx context.Context, txn *badgerdb.Txn, selection queue.Selection, found *selecting) error {
	position, err := s.positionOf(txn, selection.EventID)
	if err != nil {
		return s.skip("event", err)
	}
	endpoints := []string{selection.Endpoint}
	if selection.Endpoint == "" {
		if endpoints, err = s.endpointsOf(ctx, txn, kindDelivery); err != nil {
			return err
		}
	}
	for _, endpoint := range endpoints {
		d, err := readDelivery(txn, endpoint, position)
		if err != nil {
			if err := s.skip("delivery", err); err != nil {
				return err
			}
			continue
		}
		row := selected{position: position, Delivery: d}
		if !selects(&selection, &d) {
			continue
		}
		if permitted, err := s.permitted(txn, &selection, &row); err != nil {
			return err
		} else if permitted {
			found.rows = append(found.rows, row)
		}
	}
	return nil
}

// permitted reports whether a delivery's endpoint may have its event.
func (s *Store) permitted(txn *badgerdb.Txn, selection *queue.Selection, row *selected) (bool, error) {
	if selection.Permit == nil {
		return true, nil
	}
	record, err := s.readEvent(txn, row.position, false)
	if err != nil {
		return false, s.skip("event", err)
	}
	return permits(selection, row.Endpoint, &record), nil
}

func permits(selection *queue.Selection, endpoint string, record *eventRecord) bool {
	return selection.Permit == nil || selection.Permit(endpoint, &record.Event, slices.Contains(record.Endpoints, endpoint))
}

// endpointsOf returns the endpoints that have rows of a kind, in the order of
// their keys. It seeks from one to the next.
func (s *Store) endpointsOf(ctx context.Context, txn *badgerdb.Txn, kind byte) ([]string, error) {
	var endpoints []string
	it := txn.NewIterator(badgerdb.IteratorOptions{Prefix: []byte{kind}})
	defer it.Close()
	for it.Rewind(); it.Valid(); {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r := record.Reader{Rest: it.Item().Key()[1:]}
		endpoint := r.Text()
		if r.Err != nil {
			it.Next()
			continue
		}
		endpoints = append(endpoints, endpoint)
		it.Seek(append(endpointPrefix(nil, kind, endpoint), afterEndpoint...))
	}
	return endpoints, nil
}

func deliveryOf(item *badgerdb.Item) (selected, error) {
	key := item.Key()
	r := record.Reader{Rest: key[1:]}
	endpoint := r.Text()
	if r.Err != nil || len(r.Rest) != 8 {
		return selected{}, errDamaged
	}
	row := selected{}
	var err error
	if row.position, err = lastNumber(key); err != nil {
		return row, err
	}
	err = item.Value(func(record []byte) error {
		var err error
		row.Delivery, err = parseDelivery(endpoint, record)
		return err
	})
	return row, err
}

// selects reports whether a delivery is selected. It does not look at the
// event's id.
func selects(selection *queue.Selection, d *queue.Delivery) bool {
	return (selection.Endpoint == "" || selection.Endpoint == d.Endpoint) &&
		(len(selection.Statuses) == 0 || slices.Contains(selection.Statuses, d.Status)) &&
		selectsEvent(selection, d)
}

func selectsEvent(selection *queue.Selection, d *queue.Delivery) bool {
	return (len(selection.Types) == 0 || slices.Contains(selection.Types, d.EventType)) &&
		(selection.Key == event.Key{} || selection.Key == d.Key) &&
		!d.CreatedAt.Before(selection.From) &&
		(selection.To.IsZero() || d.CreatedAt.Before(selection.To))
}

// selectEvents returns a part of the selected events, oldest first, as
// deliveries to an endpoint.
func (s *Store) selectEvents(ctx context.Context, endpoint string, selection queue.Selection, page queue.Page, limit int) (selecting, error) {
	var found selecting
	after, ok, err := cursor.Decode(cursor.Replay, page.Cursor)
	if err != nil {
		return found, err
	}
	looked := 0
	visit := func(position uint64, record *eventRecord) bool {
		row := selected{position: position, Delivery: queue.Delivery{
			EventID: record.ID, EventType: record.Type, Key: record.Key, Sequence: record.Sequence, Endpoint: endpoint,
			Status: queue.StatusPending, CreatedAt: record.CreatedAt,
		}}
		looked++
		matches := record.Op != event.OpSnapshot && selectsEvent(&selection, &row.Delivery) && permits(&selection, endpoint, record)
		return found.take(cursor.Replay, row, matches, looked, limit)
	}
	err = s.view(ctx, func(txn *badgerdb.Txn) error {
		if selection.EventID != "" {
			position, err := s.positionOf(txn, selection.EventID)
			if err != nil {
				return s.skip("event", err)
			}
			record, err := s.readEvent(txn, position, false)
			if err != nil {
				return s.skip("event", err)
			}
			visit(position, &record)
			found.next = ""
			return nil
		}
		walk := feedWalk{s: s, ctx: ctx, txn: txn, after: s.behind(selection.From), upTo: math.MaxUint64}
		if ok {
			walk.after = after.Position
		}
		of := queue.Everything()
		if selection.Tenant != "" {
			of = queue.OfTenant(selection.Tenant)
		}
		upTo, err := walk.of(of, func(row *fed) (bool, error) {
			record, err := s.readEvent(txn, row.position, false)
			if err != nil {
				return true, s.skip("event", err)
			}
			return visit(row.position, &record), nil
		})
		if found.next == "" && upTo < walk.upTo {
			found.next = cursor.Encode(cursor.Replay, cursor.Place{Position: upTo, Endpoint: endpoint})
		}
		return err
	})
	return found, err
}

// ignoreGone drops the errors of rows that are gone.
func ignoreGone(err error) error {
	if errors.Is(err, badgerdb.ErrKeyNotFound) || errors.Is(err, errDamaged) || errors.Is(err, queue.ErrNotFound) {
		return nil
	}
	return err
}
