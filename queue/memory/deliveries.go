// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

// LeaseDelivery implements [queue.Deliveries].
func (s *Store) LeaseDelivery(ctx context.Context, endpoint string, lease time.Duration) (queue.DeliveryLease, error) {
	held, err := s.lanes.Lease(ctx, endpoint, lease)
	if err != nil {
		return queue.DeliveryLease{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	position := held.Value.pending[0]
	return queue.DeliveryLease{
		Delivery: s.delivery(position, endpoint).Delivery,
		Event:    s.events[position].Event,
		Fence:    held.Fence,
	}, nil
}

// FinishAttempt implements [queue.Deliveries].
func (s *Store) FinishAttempt(ctx context.Context, lease queue.DeliveryLease, attempt queue.Attempt, verdict queue.Verdict) error {
	switch verdict.Status {
	case queue.StatusPending, queue.StatusDelivered, queue.StatusDead:
	default:
		return fmt.Errorf("%q is not a status of a delivery", verdict.Status)
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	held, err := s.lanes.Pin(lease.Fence)
	if err != nil {
		return err
	}
	d := s.delivery(held.Value.pending[0], held.Group)
	d.Attempts++
	attempt.EventID, attempt.Endpoint, attempt.Number = d.EventID, d.Endpoint, d.Attempts
	attempt.Response = slices.Clone(attempt.Response)
	d.attempts = append(d.attempts, attempt)

	now := s.now()
	if verdict.Status == queue.StatusPending {
		d.DueAt = verdict.RetryAt
		s.lanes.Finish(lease.Fence, func(*lane) (int64, bool) { return schedule.Nanos(verdict.RetryAt), true })
		return nil
	}
	d.Status, d.DueAt, d.FinishedAt = verdict.Status, time.Time{}, now
	s.lanes.Finish(lease.Fence, func(l *lane) (int64, bool) {
		l.pending = l.pending[1:]
		return schedule.Nanos(now), len(l.pending) > 0
	})
	return nil
}

// ReleaseDelivery implements [queue.Deliveries].
func (s *Store) ReleaseDelivery(ctx context.Context, lease queue.DeliveryLease) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	return s.lanes.Release(lease.Fence)
}

func (s *Store) delivery(position int, endpoint string) *delivery {
	for _, d := range s.events[position].deliveries {
		if d.Endpoint == endpoint {
			return d
		}
	}
	// Lanes hold only what was routed to their endpoint.
	return &delivery{}
}
