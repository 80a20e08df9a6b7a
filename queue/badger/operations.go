// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"runtime"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/cursor"
)

// maxChanged is how many deliveries are changed in one transaction: so few that
// the intents of requests need not wait for it.
const maxChanged = 64

// Redeliver implements [queue.Operations].
func (s *Store) Redeliver(ctx context.Context, selection queue.Selection, page queue.Page) (int, queue.Cursor, error) {
	if err := s.awaitLanes(ctx, selection.Endpoint); err != nil {
		return 0, "", err
	}
	found, err := s.selectDeliveries(ctx, selection, page, cursor.Limit(page))
	if err != nil {
		return 0, "", err
	}
	return s.inSteps(ctx, found, func(rows []selected) changing { return (&reopen{rows: rows, hasten: true, now: s.now()}).reserved() })
}

// Replay implements [queue.Operations].
func (s *Store) Replay(ctx context.Context, endpoint string, selection queue.Selection, page queue.Page) (int, queue.Cursor, error) {
	if err := s.awaitLanes(ctx, endpoint); err != nil {
		return 0, "", err
	}
	found, err := s.selectEvents(ctx, endpoint, selection, page, cursor.Limit(page))
	if err != nil {
		return 0, "", err
	}
	return s.inSteps(ctx, found, func(rows []selected) changing { return (&reopen{rows: rows, create: true, now: s.now()}).reserved() })
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
	if err := s.awaitLanes(ctx, selection.Endpoint); err != nil {
		return 0, "", err
	}
	found, err := s.selectDeliveries(ctx, selection, page, cursor.Limit(page))
	if err != nil {
		return 0, "", err
	}
	return s.inSteps(ctx, found, func(rows []selected) changing { return &ending{rows: rows, as: as, now: s.now()} })
}

// changing is a write that changes deliveries.
type changing interface {
	write
	// changed counts the deliveries that were changed, and returns those that
	// were busy.
	changed() (n int, busy []selected)
}

// inSteps changes the selected deliveries, a few at a time.
func (s *Store) inSteps(ctx context.Context, found selecting, step func(rows []selected) changing) (int, queue.Cursor, error) {
	changed, turns := 0, 1000
	for rest := found.rows; len(rest) > 0; {
		n := min(len(rest), maxChanged)
		some := rest[:n]
		wr := step(some)
		w := wr.wait()
		w.durable = true
		if err := w.needRows(some); err != nil {
			return changed, "", err
		}
		if err := s.submit(ctx, wr); err != nil {
			return changed, "", err
		}
		done, busy := wr.changed()
		changed += done
		if rest = rest[len(some):]; len(busy) > 0 && turns > 0 {
			// They are free when a worker or the committer has had its turn.
			turns--
			runtime.Gosched()
			rest = append(slices.Clone(busy), rest...)
		}
	}
	return changed, found.next, nil
}

// needRows counts the records of deliveries and of their lanes.
func (w *waiter) needRows(rows []selected) error {
	for i := range rows {
		row := &rows[i]
		names := len(row.Endpoint) + len(row.Key.Resource) + len(row.Key.ID) + len(row.EventID) + len(row.EventType)
		if names > maxKey {
			return queue.ErrTooLarge
		}
		w.need(names, 64)
		w.need(names, 64)
	}
	return nil
}

// Count implements [queue.Operations].
func (s *Store) Count(ctx context.Context, selection queue.Selection) (int, error) {
	count := 0
	page := queue.Page{}
	for {
		found, err := s.selectDeliveries(ctx, selection, page, queue.MaxCount-count)
		count += len(found.rows)
		if err != nil || found.next == "" || count >= queue.MaxCount {
			return min(count, queue.MaxCount), err
		}
		page.Cursor = found.next
	}
}

// Announce implements [queue.Operations].
func (s *Store) Announce(ctx context.Context, e event.Event, endpoints []string) error {
	wr := &announce{event: e, endpoints: endpoints, now: s.now()}
	wr.durable = true
	if len(e.Key.Resource)+len(e.Key.ID) > maxKey {
		return queue.ErrTooLarge
	}
	if e.Op != event.OpTest {
		// The id is not known yet, and not longer than this.
		wr.event.ID = string(make([]byte, 64))
	}
	if _, err := encodeEvents(&wr.waiter, wr.routed(), wr.now, nil); err != nil {
		return err
	}
	wr.need(len(e.Key.Resource)+len(e.Key.ID), partSize)
	return s.submit(ctx, wr)
}
