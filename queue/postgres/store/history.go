// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/cursor"
)

// eventRow is an event as its table holds it.
type eventRow struct {
	position                  int64
	record, payload, previous []byte
}

const (
	eventColumns = "position, record, payload, previous"
	bareColumns  = "position, record, null::bytea, null::bytea"
)

func (r *eventRow) into() []any { return []any{&r.position, &r.record, &r.payload, &r.previous} }

// whole returns the event with what was read of it.
func (r *eventRow) whole() (event.Event, error) {
	e, err := parseEvent(bytes.Clone(r.record))
	if r.payload != nil {
		e.Payload = bytes.Clone(r.payload)
	}
	if r.previous != nil {
		e.PreviousShow = bytes.Clone(r.previous)
	}
	return e, err
}

// where gathers conditions and their arguments.
type where struct {
	conditions []string
	args       []any
}

// arg adds an argument, and returns its name.
func (w *where) arg(value any) string {
	w.args = append(w.args, value)
	return fmt.Sprintf("$%d", len(w.args))
}

// and adds a condition; each %s is an argument.
func (w *where) and(condition string, values ...any) {
	names := make([]any, len(values))
	for i, value := range values {
		names[i] = w.arg(value)
	}
	w.conditions = append(w.conditions, fmt.Sprintf(condition, names...))
}

func (w *where) String() string {
	if len(w.conditions) == 0 {
		return "true"
	}
	return strings.Join(w.conditions, " and ")
}

// event adds the conditions of a filter that events and deliveries have in common.
func (w *where) event(filter queue.Filter) {
	if filter.Type != "" {
		w.and("type = %s", []byte(filter.Type))
	}
	if !filter.Key.IsZero() {
		w.and("object = %s", objectOf(filter.Key))
	}
}

// maxPage is when a page of events ends before its limit, in bytes of its contents: nobody's
// page fills the memory.
const maxPage = 16 << 20

// errFull ends the reading of a page.
var errFull = errors.New("the page is full")

// listEvents lists events, newest first, or those behind a position if it ascends.
func (s *Store) listEvents(ctx context.Context, w *where, columns, order string, limit int) (rows []event.Event, positions []int64, more bool, err error) {
	row, size := &eventRow{}, 0
	err = s.read(ctx, func(b *batch) {
		b.each(row.into(), func() error {
			if len(rows) == limit || size >= maxPage {
				more = true
				return errFull
			}
			e, err := row.whole()
			rows, positions = append(rows, e), append(positions, row.position)
			size += len(row.payload) + len(row.previous) + len(row.record)
			return err
		}, "select "+columns+" from webhooks.event where "+w.String()+" order by position "+order+" limit "+w.arg(limit+1), w.args...)
	})
	if more {
		err = nil
	}
	return rows, positions, more, err
}

// Events implements [queue.History].
func (s *Store) Events(ctx context.Context, filter queue.Filter, page queue.Page) ([]event.Event, queue.Cursor, error) {
	place, begun, err := cursor.Decode(cursor.Events, page.Cursor)
	if err != nil {
		return nil, "", err
	}
	w := &where{}
	if begun {
		w.and("position < %s", int64(place.Position))
	}
	if filter.EventID != "" {
		w.and("event = %s", []byte(filter.EventID))
	}
	w.event(filter)
	rows, positions, more, err := s.listEvents(ctx, w, eventColumns, "desc", cursor.Limit(page))
	if err != nil || !more {
		return rows, "", err
	}
	return rows, at(cursor.Events, positions[len(positions)-1]), nil
}

func at(list cursor.List, position int64) queue.Cursor {
	return cursor.Encode(list, cursor.Place{Position: uint64(position)})
}

// inFeed adds the condition that a tenant's feed has an event.
func (w *where) inFeed(tenant string) {
	if tenant == "" {
		w.and("operated")
		return
	}
	w.and("feed = %s", tenantOf(tenant))
}

// EventsOf implements [queue.History].
func (s *Store) EventsOf(ctx context.Context, tenant string, filter queue.Filter, page queue.Page) (found []event.Event, next queue.Cursor, err error) {
	place, begun, err := cursor.Decode(cursor.TenantEvents, page.Cursor)
	if err != nil {
		return nil, "", err
	}
	w := &where{}
	w.inFeed(tenant)
	if begun {
		w.and("position < %s", int64(place.Position))
	}
	limit, looked, last := cursor.Limit(page), 0, int64(0)
	row := &eventRow{}
	more := false
	err = s.read(ctx, func(b *batch) {
		b.each(row.into(), func() error {
			if looked == queue.MaxEventsLooked || len(found) == limit {
				more = true
				return errFull
			}
			looked++
			last = row.position
			e, err := row.whole()
			if err == nil && (filter.Type == "" || e.Type == filter.Type) && (filter.Key.IsZero() || e.Key == filter.Key) {
				found = append(found, e)
			}
			return err
		}, "select "+bareColumns+" from webhooks.event where "+w.String()+" order by position desc limit "+w.arg(queue.MaxEventsLooked+1), w.args...)
	})
	if !more {
		return found, "", err
	}
	return found, at(cursor.TenantEvents, last), nil
}

// Event implements [queue.History].
func (s *Store) Event(ctx context.Context, id string) (event.Event, error) {
	return s.oneEvent(ctx, "select "+eventColumns+" from webhooks.event where event = $1 limit 1", []byte(id))
}

func (s *Store) oneEvent(ctx context.Context, sql string, args ...any) (event.Event, error) {
	row, found := &eventRow{}, false
	err := s.read(ctx, func(b *batch) { b.one(&found, row.into(), sql, args...) })
	switch {
	case err != nil:
		return event.Event{}, err
	case !found:
		return event.Event{}, queue.ErrNotFound
	}
	return row.whole()
}

// EventOf implements [queue.History]. Whether the tenant may have the event is asked without
// its contents, which take longer the larger they are.
func (s *Store) EventOf(ctx context.Context, tenant, id string) (event.Event, error) {
	e, err := s.oneEvent(ctx, "select "+bareColumns+" from webhooks.event where event = $1 limit 1", []byte(id))
	if err == nil && !e.VisibleTo(tenant) {
		err = queue.ErrNotFound
	}
	if err != nil {
		return event.Event{}, err
	}
	return s.Event(ctx, id)
}

// LastEvent implements [queue.History]. The index finds it without looking at others.
func (s *Store) LastEvent(ctx context.Context, tenant string, key event.Key) (event.Event, error) {
	w := &where{}
	w.and("object = %s", objectOf(key))
	w.inFeed(tenant)
	return s.oneEvent(ctx, "select "+eventColumns+" from webhooks.event where "+w.String()+" order by position desc limit 1", w.args...)
}
