// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/mark"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

// LeaseMark implements [queue.Marks].
func (s *Store) LeaseMark(ctx context.Context, resource string, lease time.Duration) (queue.MarkLease, error) {
	held, err := s.marks.Lease(ctx, resource, lease)
	if err != nil {
		return queue.MarkLease{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	record := held.Value
	leased := queue.MarkLease{
		Mark:       record.Mark,
		Generation: record.Generation,
		Tries:      record.Tries,
		MarkedAt:   record.MarkedAt,
		Began:      record.Began,
		Look:       record.IsLook(),
		Floor:      s.floors[record.Key.Resource],
		Fence:      held.Fence,
	}
	if callback, known := s.callbacks[record.Key]; known {
		leased.Callback = &callback
	}
	if snapshot, known := s.snapshots[record.Key]; known {
		leased.Snapshot = &snapshot
	}
	return leased, nil
}

// CommitReconciled implements [queue.Marks].
func (s *Store) CommitReconciled(ctx context.Context, lease queue.MarkLease, reconciled queue.Reconciled) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	held, err := s.marks.Pin(lease.Fence)
	if err != nil {
		return err
	}
	if (len(reconciled.Events) > 0 || reconciled.Guard.Kind != "") && reconciled.Epoch != s.records.epochs.Get(queue.KindEndpoint) {
		s.marks.Unpin(lease.Fence)
		return queue.ErrStale
	}
	now := s.now()
	if err := reconciled.Guard.Stale(s.records.get(reconciled.Guard.Kind, reconciled.Guard.ID, now)); err != nil {
		s.marks.Unpin(lease.Fence)
		return err
	}
	record := held.Value
	cleared := record.Reconciled(lease.Generation, reconciled.AskedAt, reconciled.LookAt, now)
	s.marks.Finish(lease.Fence, func(r *mark.Record) (int64, bool) {
		*r = record
		return schedule.Nanos(record.DueAt), !cleared
	})
	if callback, known := s.callbacks[record.Key]; known && reconciled.CloseCallback {
		callback.Closed = true
		s.callbacks[record.Key] = callback
	}
	if reconciled.Unresolved != "" {
		s.lastIntent++
		s.unresolved = append(s.unresolved, mark.Unresolved(s.lastIntent, &lease.Mark, reconciled.Unresolved, now))
	}
	if reconciled.Snapshot != nil {
		s.snapshots[record.Key] = *reconciled.Snapshot
	}
	for _, m := range reconciled.Marks {
		s.mark(m, now)
	}
	for _, routed := range reconciled.Events {
		s.log(routed, now)
	}
	return nil
}

func (s *Store) log(routed queue.Routed, now time.Time) {
	position := len(s.events)
	entry := logged{Event: routed.Event, createdAt: now, routed: slices.Clone(routed.Endpoints)}
	entry.Payload = slices.Clone(routed.Payload)
	for i, endpoint := range routed.Endpoints {
		if !slices.Contains(routed.Endpoints[:i], endpoint) {
			d := entry.delivery(endpoint, now)
			d.format = routed.Formats[endpoint]
			entry.deliveries = append(entry.deliveries, d)
		}
	}
	for _, endpoint := range routed.Filtered {
		if !slices.Contains(routed.Endpoints, endpoint) {
			entry.filtered = append(entry.filtered, endpoint)
		}
	}
	entry.formats = maps.Clone(routed.Formats)
	s.events = append(s.events, entry)
	s.byID[routed.ID] = position
	for _, d := range entry.deliveries {
		s.open(position, d, now)
	}
	s.sleepers.Wake(queue.ScopesOf(nil, &entry.Event, routed.Endpoints, entry.filtered))
}

// delivery makes a pending delivery of an event.
func (e *logged) delivery(endpoint string, now time.Time) *delivery {
	return &delivery{Delivery: queue.Delivery{
		EventID:   e.ID,
		EventType: e.Type,
		Key:       e.Key,
		Sequence:  e.Sequence,
		Endpoint:  endpoint,
		Status:    queue.StatusPending,
		CreatedAt: e.createdAt,
		DueAt:     now,
	}}
}

// laneKey names an object among those of one endpoint.
func laneKey(key event.Key) string {
	return key.Resource + "\x00" + key.ID
}

// RetryMark implements [queue.Marks].
func (s *Store) RetryMark(ctx context.Context, lease queue.MarkLease, at time.Time, reason string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	held, err := s.marks.Pin(lease.Fence)
	if err != nil {
		return err
	}
	record := held.Value
	record.Retry(lease.Generation, at, reason, s.now())
	s.marks.Finish(lease.Fence, func(r *mark.Record) (int64, bool) {
		*r = record
		return schedule.Nanos(record.DueAt), true
	})
	return nil
}
