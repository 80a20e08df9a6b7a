// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"context"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/cursor"
)

// listedRow is a delivery, pending or decided.
type listedRow struct {
	deliveryRow
	status   string
	finished int64
}

// The columns of listedRow, from either table.
const (
	listedPending = pendingColumns + ", 'pending'::text as status, p.position as finished"
	listedDecided = "p.endpoint, p.position, p.day, p.event, p.type, p.object, p.resource, p.id, p.sequence, p.attempts, p.prior, 0, p.created, p.created, p.created, p.routed, p.format, p.status, p.finished"
)

func (r *listedRow) into() []any { return append(r.deliveryRow.into(), &r.status, &r.finished) }

func (r *listedRow) listed(s *Store) queue.Delivery {
	d := r.delivery(s)
	if d.Status = queue.Status(r.status); d.Status != queue.StatusPending {
		d.DueAt, d.HastenedFrom, d.FinishedAt = time.Time{}, time.Time{}, s.clock.out(moment(r.finished))
	}
	return d
}

// everyDelivery returns a query of deliveries wherever they stand. Both tables are read in the
// order of the list, and no further than its limit.
func everyDelivery(w *where, order string, limit int) string {
	return oneKind(listedPending, "pending", w, order, limit) + " union all " + oneKind(listedDecided, "decided", w, order, limit) +
		" order by " + order + " limit " + w.arg(limit)
}

// oneKind leaves out what is only there for the planner, before the first day.
func oneKind(columns, table string, w *where, order string, limit int) string {
	return "(select " + columns + " from webhooks." + table + " p where day >= 0 and " + w.String() + " order by " + order + " limit " + w.arg(limit) + ")"
}

// deliveryFilter returns the conditions of a filter of deliveries, and whether any can meet
// them: those of an event are only found as long as that is kept.
func (s *Store) deliveryFilter(ctx context.Context, filter queue.Filter) (w *where, possible bool, err error) {
	w = &where{}
	if filter.EventID != "" {
		position, found, err := s.positionOf(ctx, filter.EventID)
		if err != nil || !found {
			return nil, false, err
		}
		w.and("position = %s", position)
	}
	if filter.Endpoint != "" {
		w.and("endpoint = %s", []byte(filter.Endpoint))
	}
	return w, true, nil
}

func (s *Store) positionOf(ctx context.Context, id string) (position int64, found bool, err error) {
	err = s.read(ctx, func(b *batch) {
		b.one(&found, []any{&position}, "select position from webhooks.event where event = $1 limit 1", []byte(id))
	})
	return position, found, err
}

// Deliveries implements [queue.History].
func (s *Store) Deliveries(ctx context.Context, filter queue.Filter, page queue.Page) ([]queue.Delivery, queue.Cursor, error) {
	w, possible, err := s.deliveryFilter(ctx, filter)
	if err == nil && !possible {
		_, _, err = cursor.Decode(cursor.Deliveries, page.Cursor)
		return nil, "", err
	}
	if err != nil {
		return nil, "", err
	}
	return s.listDeliveries(ctx, w, filter, page, func(sql string) string {
		return "select * from (" + sql + ") d order by " + deliveryOrder
	})
}

// DeliveriesTo implements [queue.History]. Each endpoint's are read by its own index, and no
// further than the page goes.
func (s *Store) DeliveriesTo(ctx context.Context, endpoints []string, filter queue.Filter, page queue.Page) ([]queue.Delivery, queue.Cursor, error) {
	names := make([][]byte, 0, len(endpoints))
	for _, endpoint := range endpoints {
		names = append(names, []byte(endpoint))
	}
	w := &where{}
	of := w.arg(names)
	w.and("endpoint = of.name")
	return s.listDeliveries(ctx, w, filter, page, func(sql string) string {
		return "select d.* from (select distinct name from unnest(" + of + "::bytea[]) n (name)) of cross join lateral (" + sql + ") d order by " + deliveryOrder
	})
}

// deliveryOrder is the order of lists of deliveries.
const deliveryOrder = "position desc, endpoint"

// listDeliveries lists the deliveries that meet conditions, and a filter as far as it is not
// about their event or endpoint. Wrap puts the query of a list into another one.
func (s *Store) listDeliveries(
	ctx context.Context, w *where, filter queue.Filter, page queue.Page, wrap func(sql string) string,
) (listed []queue.Delivery, next queue.Cursor, err error) {
	place, begun, err := cursor.Decode(cursor.Deliveries, page.Cursor)
	if err != nil {
		return nil, "", err
	}
	w.event(filter)
	if begun {
		w.and("(position < %[1]s or position = %[1]s and endpoint > %[2]s)", int64(place.Position), []byte(place.Endpoint))
	}
	limit := cursor.Limit(page)
	var sql string
	switch filter.Status {
	case "":
		sql = everyDelivery(w, deliveryOrder, limit+1)
	case queue.StatusPending:
		sql = oneKind(listedPending, "pending", w, deliveryOrder, limit+1)
	default:
		w.and("status = %s", string(filter.Status))
		sql = oneKind(listedDecided, "decided", w, deliveryOrder, limit+1)
	}
	sql = wrap(sql) + " limit " + w.arg(limit+1)
	row := &listedRow{}
	var last cursor.Place
	err = s.read(ctx, func(b *batch) {
		b.each(row.into(), func() error {
			if len(listed) == limit {
				next = cursor.Encode(cursor.Deliveries, last)
				return nil
			}
			listed = append(listed, row.listed(s))
			last = cursor.Place{Position: uint64(row.position), Endpoint: string(row.endpoint)}
			return nil
		}, sql, w.args...)
	})
	return listed, next, err
}

// DeliveriesOf implements [queue.History].
func (s *Store) DeliveriesOf(ctx context.Context, eventID string, endpoints ...string) ([]queue.Delivery, error) {
	names := make([][]byte, len(endpoints))
	for i, endpoint := range endpoints {
		names[i] = []byte(endpoint)
	}
	found := make(map[string]queue.Delivery)
	row := &listedRow{}
	take := func() error {
		found[string(row.endpoint)] = row.listed(s)
		return nil
	}
	err := s.read(ctx, func(b *batch) {
		const of = " p where p.position = (select position from webhooks.event where event = $1 limit 1) and p.endpoint = any($2)"
		b.each(row.into(), take, "select "+listedPending+" from webhooks.pending"+of, []byte(eventID), names)
		b.each(row.into(), take, "select "+listedDecided+" from webhooks.decided"+of, []byte(eventID), names)
	})
	if err != nil {
		return nil, err
	}
	var listed []queue.Delivery
	for _, endpoint := range endpoints {
		if d, ok := found[endpoint]; ok {
			listed = append(listed, d)
		}
	}
	return listed, nil
}

// Attempts implements [queue.History].
func (s *Store) Attempts(ctx context.Context, filter queue.Filter, page queue.Page) (listed []queue.Attempt, next queue.Cursor, err error) {
	place, begun, err := cursor.Decode(cursor.Attempts, page.Cursor)
	if err != nil {
		return nil, "", err
	}
	w, possible, err := s.deliveryFilter(ctx, filter)
	if err != nil || !possible {
		return nil, "", err
	}
	if begun {
		w.and("(position < %[1]s or position = %[1]s and (endpoint > %[2]s or endpoint = %[2]s and number < %[3]s))",
			int64(place.Position), []byte(place.Endpoint), int64(place.Number))
	}
	limit := cursor.Limit(page)
	var endpoint, id, text, response, sent []byte
	var position, at, duration int64
	var a queue.Attempt
	var last cursor.Place
	err = s.read(ctx, func(b *batch) {
		b.each([]any{&endpoint, &position, &a.Number, &id, &at, &duration, &a.Code, &text, &response, &sent}, func() error {
			if len(listed) == limit {
				next = cursor.Encode(cursor.Attempts, last)
				return nil
			}
			one := a
			var err error
			if one.Sent, err = parseSent(sent); err != nil {
				return err
			}
			one.Endpoint, one.EventID, one.Error = string(endpoint), string(id), string(text)
			one.At, one.Duration = s.clock.out(moment(at)), time.Duration(duration)
			if response != nil {
				one.Response = bytes.Clone(response)
			}
			listed = append(listed, one)
			last = cursor.Place{Position: uint64(position), Endpoint: one.Endpoint, Number: uint64(one.Number)}
			return nil
		}, "select endpoint, position, number, event, at, duration, code, error, response, sent from webhooks.attempt where "+w.String()+
			" order by position desc, endpoint, number desc limit "+w.arg(limit+1), w.args...)
	})
	return listed, next, err
}
