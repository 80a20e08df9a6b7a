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
)

// row is a delivery and the position of its event.
type row struct {
	position int
	*delivery
}

// Redeliver implements [queue.Operations].
func (s *Store) Redeliver(ctx context.Context, selection queue.Selection, page queue.Page) (int, queue.Cursor, error) {
	return s.change(ctx, selection, page, func(r row, now time.Time) bool {
		switch {
		case r.Status != queue.StatusPending:
			s.reopen(r, now)
			return true
		case r.DueAt.After(now) && !s.holds(r.position, r.delivery):
			s.hasten(r.position, r.delivery, now)
			return true
		}
		return false
	})
}

func (s *Store) reopen(r row, now time.Time) {
	r.Status, r.DueAt, r.FinishedAt, r.PriorAttempts = queue.StatusPending, now, time.Time{}, r.Attempts
	s.open(r.position, r.delivery, now)
}

// Cancel implements [queue.Operations].
func (s *Store) Cancel(ctx context.Context, selection queue.Selection, page queue.Page) (int, queue.Cursor, error) {
	return s.end(ctx, selection, page, queue.StatusCancelled)
}

// Expire implements [queue.Operations].
func (s *Store) Expire(ctx context.Context, selection queue.Selection, page queue.Page) (int, queue.Cursor, error) {
	return s.end(ctx, selection, page, queue.StatusDead)
}

// end decides what is pending and not leased.
func (s *Store) end(ctx context.Context, selection queue.Selection, page queue.Page, as queue.Status) (int, queue.Cursor, error) {
	return s.change(ctx, selection, page, func(r row, now time.Time) bool {
		if r.Status != queue.StatusPending || s.holds(r.position, r.delivery) {
			return false
		}
		s.leave(r.position, r.delivery, now)
		r.decide(as, now)
		return true
	})
}

// change applies a change to a part of the selection, and counts the deliveries
// that it has changed.
func (s *Store) change(
	ctx context.Context, selection queue.Selection, page queue.Page, change func(r row, now time.Time) bool,
) (int, queue.Cursor, error) {
	if err := s.enter(ctx); err != nil {
		return 0, "", err
	}
	defer s.mu.Unlock()
	after, begun, err := cursor.Decode(cursor.Selection, page.Cursor)
	if err != nil {
		return 0, "", err
	}
	changed, left := 0, cursor.Limit(page)
	for _, r := range s.selected(selection) {
		place := cursor.Place{Position: uint64(r.position) + 1, Endpoint: r.Endpoint}
		if begun && cmp.Or(cmp.Compare(place.Endpoint, after.Endpoint), cmp.Compare(place.Position, after.Position)) <= 0 {
			continue
		}
		if s.permits(&selection, r.position, r.Endpoint) && change(r, s.now()) {
			changed++
		}
		if left--; left == 0 {
			return changed, cursor.Encode(cursor.Selection, place), nil
		}
	}
	return changed, "", nil
}

// selected returns all selected deliveries, by endpoint, oldest first.
func (s *Store) selected(selection queue.Selection) []row {
	var rows []row
	for position := range s.events {
		for _, d := range s.events[position].deliveries {
			if (selection.Endpoint == "" || selection.Endpoint == d.Endpoint) &&
				(len(selection.Statuses) == 0 || slices.Contains(selection.Statuses, d.Status)) &&
				s.selectsEvent(&selection, position) {
				rows = append(rows, row{position: position, delivery: d})
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(a.Endpoint, b.Endpoint) })
	return rows
}

func (s *Store) selectsEvent(selection *queue.Selection, position int) bool {
	e := &s.events[position]
	return matches(queue.Filter{EventID: selection.EventID, Key: selection.Key}, e.ID, e.Type, e.Key) &&
		(len(selection.Types) == 0 || slices.Contains(selection.Types, e.Type)) &&
		!e.createdAt.Before(selection.From) &&
		(selection.To.IsZero() || e.createdAt.Before(selection.To))
}

// permits reports whether an endpoint may have an event.
func (s *Store) permits(selection *queue.Selection, position int, endpoint string) bool {
	if selection.Permit == nil {
		return true
	}
	entry := &s.events[position]
	bare := entry.Event
	bare.Payload, bare.PreviousShow = nil, nil
	return selection.Permit(endpoint, &bare, slices.Contains(entry.routed, endpoint))
}

// Replay implements [queue.Operations].
func (s *Store) Replay(ctx context.Context, endpoint string, selection queue.Selection, page queue.Page) (int, queue.Cursor, error) {
	if err := s.enter(ctx); err != nil {
		return 0, "", err
	}
	defer s.mu.Unlock()
	after, _, err := cursor.Decode(cursor.Replay, page.Cursor)
	if err != nil {
		return 0, "", err
	}
	changed, left := 0, cursor.Limit(page)
	for position := int(after.Position); position < len(s.events); position++ {
		if s.events[position].Op == event.OpSnapshot || !s.selectsEvent(&selection, position) {
			continue
		}
		if selection.Tenant != "" && !s.events[position].InFeedOf(selection.Tenant) {
			continue
		}
		if s.permits(&selection, position, endpoint) && s.replay(position, endpoint) {
			changed++
		}
		if left--; left == 0 {
			return changed, cursor.Encode(cursor.Replay, cursor.Place{Position: uint64(position) + 1}), nil
		}
	}
	return changed, "", nil
}

func (s *Store) replay(position int, endpoint string) bool {
	entry, now := &s.events[position], s.now()
	i := slices.IndexFunc(entry.deliveries, func(d *delivery) bool { return d.Endpoint == endpoint })
	if i >= 0 {
		if d := entry.deliveries[i]; d.Status != queue.StatusPending {
			s.reopen(row{position: position, delivery: d}, now)
			return true
		}
		return false
	}
	d := entry.delivery(endpoint, now)
	entry.deliveries = append(entry.deliveries, d)
	s.open(position, d, now)
	s.sleepers.Wake([]queue.Scope{queue.OfEndpoint(endpoint)})
	return true
}

// Count implements [queue.Operations].
func (s *Store) Count(ctx context.Context, selection queue.Selection) (int, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	count := 0
	for _, r := range s.selected(selection) {
		if s.permits(&selection, r.position, r.Endpoint) {
			count++
		}
	}
	return min(count, queue.MaxCount), nil
}

// Announce implements [queue.Operations].
func (s *Store) Announce(ctx context.Context, e event.Event, endpoints []string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	now := s.now()
	if e.Op == event.OpTest {
		s.log(queue.Routed{Event: e, Endpoints: endpoints}, now)
		return nil
	}
	snapshot := s.snapshots[e.Key]
	snapshot.Key, snapshot.Time = e.Key, now
	snapshot.Sequence++
	s.snapshots[e.Key] = snapshot
	e.Sequence = snapshot.Sequence
	e.ID = event.ID(s.instance.ID, e.Key, e.Sequence, e.Type, nil)
	s.log(queue.Routed{Event: e, Endpoints: endpoints}, now)
	return nil
}
