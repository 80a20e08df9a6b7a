// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/cursor"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/mark"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

// rows collects one page of a list.
type rows[T any] struct {
	list  cursor.List
	limit int
	// after is the place where the last page ended; until it is met, rows
	// belong to earlier pages.
	after *cursor.Place
	page  []T
	last  cursor.Place
	next  queue.Cursor
}

func newRows[T any](list cursor.List, page queue.Page) (*rows[T], error) {
	r := &rows[T]{list: list, limit: cursor.Limit(page)}
	place, ok, err := cursor.Decode(list, page.Cursor)
	if err != nil {
		return nil, err
	}
	if ok {
		r.after = &place
	}
	return r, nil
}

// add takes a row, and reports whether the page has room for more.
func (r *rows[T]) add(place cursor.Place, row T) bool {
	if r.after != nil {
		if *r.after == place {
			r.after = nil
		}
		return true
	}
	if len(r.page) == r.limit {
		r.next = cursor.Encode(r.list, r.last)
		return false
	}
	r.page, r.last = append(r.page, row), place
	return true
}

// Events implements [queue.History].
func (s *Store) Events(ctx context.Context, filter queue.Filter, page queue.Page) ([]event.Event, queue.Cursor, error) {
	if err := s.enter(ctx); err != nil {
		return nil, "", err
	}
	defer s.mu.Unlock()
	r, err := newRows[event.Event](cursor.Events, page)
	if err != nil {
		return nil, "", err
	}
	for position, entry := range slices.Backward(s.events) {
		if !matches(filter, entry.ID, entry.Type, entry.Key) {
			continue
		}
		if !r.add(cursor.Place{Position: uint64(position)}, entry.Event) {
			break
		}
	}
	return r.page, r.next, nil
}

// EventsOf implements [queue.History].
func (s *Store) EventsOf(ctx context.Context, tenant string, filter queue.Filter, page queue.Page) ([]event.Event, queue.Cursor, error) {
	if err := s.enter(ctx); err != nil {
		return nil, "", err
	}
	defer s.mu.Unlock()
	limit := cursor.Limit(page)
	place, ok, err := cursor.Decode(cursor.TenantEvents, page.Cursor)
	if err != nil {
		return nil, "", err
	}
	from := len(s.events)
	if ok {
		from = min(from, int(place.Position))
	}
	var found []event.Event
	looked := 0
	for number := from - 1; number >= 0; number-- {
		e := &s.events[number].Event
		if !e.InFeedOf(tenant) {
			continue
		}
		if looked++; len(found) == limit || looked > queue.MaxEventsLooked {
			return found, cursor.Encode(cursor.TenantEvents, cursor.Place{Position: uint64(number + 1)}), nil
		}
		if matches(filter, "", e.Type, e.Key) {
			listed := *e
			listed.Payload, listed.PreviousShow = nil, nil
			found = append(found, listed)
		}
	}
	return found, "", nil
}

// Event implements [queue.History].
func (s *Store) Event(ctx context.Context, id string) (event.Event, error) {
	if err := s.enter(ctx); err != nil {
		return event.Event{}, err
	}
	defer s.mu.Unlock()
	position, known := s.byID[id]
	if !known {
		return event.Event{}, queue.ErrNotFound
	}
	return s.events[position].Event, nil
}

// EventOf implements [queue.History].
func (s *Store) EventOf(ctx context.Context, tenant, id string) (event.Event, error) {
	e, err := s.Event(ctx, id)
	if err == nil && !e.VisibleTo(tenant) {
		return event.Event{}, queue.ErrNotFound
	}
	return e, err
}

// LastEvent implements [queue.History].
func (s *Store) LastEvent(ctx context.Context, tenant string, key event.Key) (event.Event, error) {
	if err := s.enter(ctx); err != nil {
		return event.Event{}, err
	}
	defer s.mu.Unlock()
	looked := 0
	for i := range slices.Backward(s.events) {
		e := &s.events[i].Event
		if !e.InFeedOf(tenant) {
			continue
		}
		if e.Key == key {
			return *e, nil
		}
		if looked++; looked == queue.MaxLastLooked {
			break
		}
	}
	return event.Event{}, queue.ErrNotFound
}

// DeliveriesOf implements [queue.History].
func (s *Store) DeliveriesOf(ctx context.Context, eventID string, endpoints ...string) ([]queue.Delivery, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	position, known := s.byID[eventID]
	if !known {
		return nil, nil
	}
	var found []queue.Delivery
	for _, endpoint := range endpoints {
		for _, d := range s.events[position].deliveries {
			if d.Endpoint == endpoint {
				found = append(found, d.Delivery)
			}
		}
	}
	return found, nil
}

// Deliveries implements [queue.History].
func (s *Store) Deliveries(ctx context.Context, filter queue.Filter, page queue.Page) ([]queue.Delivery, queue.Cursor, error) {
	return s.deliveries(ctx, filter, page, func(d *delivery) bool {
		return (filter.EventID == "" || filter.EventID == d.EventID) && (filter.Endpoint == "" || filter.Endpoint == d.Endpoint)
	})
}

// DeliveriesTo implements [queue.History].
func (s *Store) DeliveriesTo(ctx context.Context, endpoints []string, filter queue.Filter, page queue.Page) ([]queue.Delivery, queue.Cursor, error) {
	return s.deliveries(ctx, filter, page, func(d *delivery) bool { return slices.Contains(endpoints, d.Endpoint) })
}

func (s *Store) deliveries(ctx context.Context, filter queue.Filter, page queue.Page, wanted func(*delivery) bool) ([]queue.Delivery, queue.Cursor, error) {
	if err := s.enter(ctx); err != nil {
		return nil, "", err
	}
	defer s.mu.Unlock()
	r, err := newRows[queue.Delivery](cursor.Deliveries, page)
	if err != nil {
		return nil, "", err
	}
	s.eachDelivery(func(position int, d *delivery) bool {
		if !wanted(d) || !matches(filter, filter.EventID, d.EventType, d.Key) || filter.Status != "" && filter.Status != d.Status {
			return true
		}
		return r.add(cursor.Place{Position: uint64(position), Endpoint: d.Endpoint}, d.Delivery)
	})
	return r.page, r.next, nil
}

// Attempts implements [queue.History].
func (s *Store) Attempts(ctx context.Context, filter queue.Filter, page queue.Page) ([]queue.Attempt, queue.Cursor, error) {
	if err := s.enter(ctx); err != nil {
		return nil, "", err
	}
	defer s.mu.Unlock()
	r, err := newRows[queue.Attempt](cursor.Attempts, page)
	if err != nil {
		return nil, "", err
	}
	s.eachDelivery(func(position int, d *delivery) bool {
		if filter.EventID != "" && filter.EventID != d.EventID ||
			filter.Endpoint != "" && filter.Endpoint != d.Endpoint {
			return true
		}
		for _, a := range slices.Backward(d.attempts) {
			place := cursor.Place{Position: uint64(position), Endpoint: d.Endpoint, Number: uint64(a.Number)}
			if !r.add(place, a) {
				return false
			}
		}
		return true
	})
	return r.page, r.next, nil
}

// eachDelivery visits deliveries, those of the newest event first.
func (s *Store) eachDelivery(visit func(position int, d *delivery) bool) {
	for position, entry := range slices.Backward(s.events) {
		byName := slices.SortedFunc(slices.Values(entry.deliveries), func(a, b *delivery) int { return cmp.Compare(a.Endpoint, b.Endpoint) })
		for _, d := range byName {
			if !visit(position, d) {
				return
			}
		}
	}
}

func matches(filter queue.Filter, id, eventType string, key event.Key) bool {
	return (filter.EventID == "" || filter.EventID == id) &&
		(filter.Type == "" || filter.Type == eventType) &&
		(filter.Key.IsZero() || filter.Key == key)
}

// Unresolved implements [queue.History].
func (s *Store) Unresolved(ctx context.Context, page queue.Page) ([]queue.Unresolved, queue.Cursor, error) {
	if err := s.enter(ctx); err != nil {
		return nil, "", err
	}
	defer s.mu.Unlock()
	r, err := newRows[queue.Unresolved](cursor.Unresolved, page)
	if err != nil {
		return nil, "", err
	}
	newest := slices.Clone(s.unresolved)
	slices.SortFunc(newest, func(a, b queue.Unresolved) int { return cmp.Compare(b.ID, a.ID) })
	for _, u := range newest {
		if !r.add(cursor.Place{Position: uint64(u.ID)}, u) {
			break
		}
	}
	return r.page, r.next, nil
}

// Pending implements [queue.History].
func (s *Store) Pending(ctx context.Context, limit int) ([]queue.PendingMark, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var pending []queue.PendingMark
	s.marks.Walk(func(_, _ string, r mark.Record, info schedule.Info) bool {
		if len(pending) >= limit {
			return false
		}
		if r.IsLook() {
			return true
		}
		pending = append(pending, queue.PendingMark{
			Key:        r.Key,
			Generation: r.Generation,
			Tries:      r.Tries,
			MarkedAt:   r.MarkedAt,
			DueAt:      r.DueAt,
			Leased:     info.Leased,
			LastError:  r.LastError,
			Rule:       r.Cause.Rule,
			Outcome:    r.Cause.Outcome,
			SettleAt:   r.SettleAt,
		})
		return true
	})
	return pending, nil
}

// Stats implements [queue.History].
func (s *Store) Stats(ctx context.Context) (queue.Stats, error) {
	if err := s.enter(ctx); err != nil {
		return queue.Stats{}, err
	}
	defer s.mu.Unlock()
	stats := queue.Stats{
		OpenIntents:       len(s.intents),
		Unresolved:        len(s.unresolved),
		PendingDeliveries: make(map[string]int),
		Lanes:             make(map[string]int),
	}
	s.marks.Walk(func(_, _ string, r mark.Record, _ schedule.Info) bool {
		if r.IsLook() {
			stats.Looks++
			return true
		}
		stats.Marks++
		if r.Tries > 0 {
			stats.FailingMarks++
		}
		if !r.Yields() {
			stats.OldestMark = older(stats.OldestMark, r.MarkedAt)
		}
		return true
	})
	s.lanes.Walk(func(endpoint, _ string, l lane, _ schedule.Info) bool {
		stats.PendingDeliveries[endpoint] += len(l.pending)
		stats.Lanes[endpoint]++
		return true
	})
	return stats, nil
}

func older(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
