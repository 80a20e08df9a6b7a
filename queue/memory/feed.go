// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"context"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/cursor"
)

// The number of a position is how many events are before it. Nothing is ever removed.

// ReadFeed implements [queue.Feed].
func (s *Store) ReadFeed(ctx context.Context, of queue.Scope, after queue.Position, limit int) (queue.FeedPage, error) {
	if err := s.enter(ctx); err != nil {
		return queue.FeedPage{}, err
	}
	defer s.mu.Unlock()
	number, err := s.number(after)
	if err != nil {
		return queue.FeedPage{}, err
	}
	limit = cursor.Limit(queue.Page{Limit: limit})
	page, size := queue.FeedPage{Next: s.position(len(s.events))}, 0
	for ; number < len(s.events); number++ {
		entry, ok := s.events[number].entry(of)
		if !ok {
			continue
		}
		entry.Position = s.position(number + 1)
		page.Entries = append(page.Entries, entry)
		size += len(entry.Event.Payload) + len(entry.Event.PreviousShow)
		if len(page.Entries) == limit || size >= queue.MaxFeedPage {
			page.Next, page.More = entry.Position, number+1 < len(s.events)
			break
		}
	}
	return page, nil
}

func (s *Store) position(number int) queue.Position {
	return queue.NewPosition(s.instance, uint64(number))
}

// number returns how many events are before a position.
func (s *Store) number(p queue.Position) (int, error) {
	number, ok := p.In(s.instance)
	if !ok || number > uint64(len(s.events)) {
		return 0, &queue.ExpiredError{}
	}
	return int(number), nil
}

// entry returns the event as an entry of a feed, and reports whether it is one.
func (e *logged) entry(of queue.Scope) (queue.FeedEntry, bool) {
	entry := queue.FeedEntry{Event: e.Event}
	if of.Everything() {
		return entry, true
	}
	if tenant, ok := of.Tenant(); ok {
		return entry, e.InFeedOf(tenant)
	}
	endpoint, ok := of.Endpoint()
	if !ok {
		return entry, false
	}
	for _, d := range e.deliveries {
		if d.Endpoint == endpoint {
			entry.Status, entry.Format = d.Status, d.format
			return entry, true
		}
	}
	entry.Filtered, entry.Format = true, e.formats[endpoint]
	return entry, slices.Contains(e.filtered, endpoint)
}

// AwaitFeed implements [queue.Feed].
func (s *Store) AwaitFeed(ctx context.Context, of queue.Scope, after queue.Position) error {
	return s.sleepers.Await(ctx, of, func() (bool, error) {
		page, err := s.ReadFeed(ctx, of, after, 1)
		return len(page.Entries) > 0, err
	})
}

// FeedEnds implements [queue.Feed].
func (s *Store) FeedEnds(ctx context.Context) (oldest, latest queue.Position, err error) {
	if err := s.enter(ctx); err != nil {
		return oldest, latest, err
	}
	defer s.mu.Unlock()
	return oldest, s.position(len(s.events)), nil
}

// FeedSince implements [queue.Feed].
func (s *Store) FeedSince(ctx context.Context, t time.Time) (queue.Position, error) {
	if err := s.enter(ctx); err != nil {
		return queue.Position{}, err
	}
	defer s.mu.Unlock()
	first := slices.IndexFunc(s.events, func(e logged) bool { return !e.createdAt.Before(t) })
	if first < 0 {
		first = len(s.events)
	}
	return s.position(first), nil
}

// Filtered implements [queue.Filtereds].
func (s *Store) Filtered(ctx context.Context, endpoint string, page queue.Page) ([]event.Event, queue.Cursor, error) {
	if err := s.enter(ctx); err != nil {
		return nil, "", err
	}
	defer s.mu.Unlock()
	r, err := newRows[event.Event](cursor.Filtered, page)
	if err != nil {
		return nil, "", err
	}
	for position, entry := range slices.Backward(s.events) {
		bare := entry.Event
		bare.Payload, bare.PreviousShow = nil, nil
		if slices.Contains(entry.filtered, endpoint) && !r.add(cursor.Place{Position: uint64(position) + 1}, bare) {
			break
		}
	}
	return r.page, r.next, nil
}

// CountFiltered implements [queue.Filtereds].
func (s *Store) CountFiltered(ctx context.Context, endpoint string) (int, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	count := 0
	for i := range s.events {
		if slices.Contains(s.events[i].filtered, endpoint) {
			count++
		}
	}
	return min(count, queue.MaxCount), nil
}

// WasFiltered implements [queue.Filtereds].
func (s *Store) WasFiltered(ctx context.Context, endpoint, eventID string) (bool, error) {
	if err := s.enter(ctx); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	at, known := s.byID[eventID]
	return known && slices.Contains(s.events[at].filtered, endpoint), nil
}
