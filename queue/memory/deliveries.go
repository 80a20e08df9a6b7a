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

// SetOrder implements [queue.Deliveries].
func (s *Store) SetOrder(ctx context.Context, endpoint string, order queue.Order) error {
	if err := order.Check(); err != nil {
		return err
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	s.lanes.SetOrder(endpoint, order)
	return nil
}

// LeaseDelivery implements [queue.Deliveries].
func (s *Store) LeaseDelivery(ctx context.Context, endpoint string, options queue.LeaseOptions) (queue.DeliveryLease, error) {
	for {
		held, err := s.lanes.Lease(ctx, endpoint, options.For)
		if err != nil {
			return queue.DeliveryLease{}, err
		}
		if leased, ok, err := s.begin(held, options); ok || err != nil {
			return leased, err
		}
	}
}

// begin reads the delivery that a lease is for. If that is not to be delivered
// now, begin gives the lease back and is not ok.
func (s *Store) begin(held schedule.Lease[lane], options queue.LeaseOptions) (queue.DeliveryLease, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lanes.Update(held.Group, held.Key, func(l *lane) { held.Value = *l })
	if options.Coalesce && held.Order != queue.OrderNone && len(held.Value.pending) > 1 {
		s.supersede(held)
		return queue.DeliveryLease{}, false, nil
	}
	if len(held.Value.pending) == 0 {
		// All were cancelled just now.
		if _, err := s.lanes.Pin(held.Fence); err == nil {
			s.lanes.Finish(held.Fence, func(l *lane) (int64, bool) { return held.Due, len(l.pending) > 0 })
		}
		return queue.DeliveryLease{}, false, nil
	}
	position := held.Value.pending[0]
	d, now := s.delivery(position, held.Group), s.now()
	_, _, part := schedule.ParsePart(held.Key)
	if held.Order == queue.OrderNone && !part {
		taken, err := s.lanes.Split(held.Fence, uint64(position), schedule.Nanos(d.DueAt), func(whole *lane) (lane, bool) {
			whole.take(position)
			return lane{pending: []int{position}}, len(whole.pending) > 0
		})
		if err != nil || taken.Fence == 0 {
			return queue.DeliveryLease{}, false, nil
		}
		held = taken
	} else if d.DueAt.After(now) {
		_ = s.lanes.Yield(held.Fence, func(*lane) int64 { return schedule.Nanos(d.DueAt) })
		return queue.DeliveryLease{}, false, nil
	}
	if e := &s.events[position]; options.Admit != nil && !options.Admit(int64(len(e.Payload)+len(e.PreviousShow))) {
		_ = s.lanes.Yield(held.Fence, func(*lane) int64 { return held.Due })
		return queue.DeliveryLease{}, false, queue.ErrNotAdmitted
	}
	s.lanes.Update(held.Group, held.Key, func(l *lane) { l.leased = position })
	return queue.DeliveryLease{Delivery: d.Delivery, Event: s.events[position].Event, Format: d.format, Fence: held.Fence}, true, nil
}

// supersede decides all but the newest deliveries of a lane, and gives its
// lease back.
func (s *Store) supersede(held schedule.Lease[lane]) {
	_ = s.lanes.Yield(held.Fence, func(l *lane) int64 {
		last := len(l.pending) - 1
		for _, position := range l.pending[:last] {
			s.delivery(position, held.Group).decide(queue.StatusSuperseded, s.now())
		}
		l.pending = slices.Clone(l.pending[last:])
		return held.Due
	})
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
	position := held.Value.leased
	d := s.delivery(position, held.Group)
	d.Attempts++
	attempt.EventID, attempt.Endpoint, attempt.Number = d.EventID, d.Endpoint, d.Attempts
	attempt.Response = slices.Clone(attempt.Response)
	d.attempts = append(d.attempts, attempt)

	now := s.now()
	if verdict.Status == queue.StatusPending {
		d.DueAt = verdict.RetryAt
		if !d.HastenedFrom.IsZero() {
			d.ExtraAttempts++
			d.HastenedFrom = time.Time{}
		}
		s.lanes.Finish(lease.Fence, func(l *lane) (int64, bool) {
			// A redelivered one may stand before it now.
			return schedule.Nanos(s.delivery(l.pending[0], held.Group).DueAt), true
		})
		return nil
	}
	d.decide(verdict.Status, now)
	s.lanes.Finish(lease.Fence, func(l *lane) (int64, bool) {
		l.take(position)
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

// PostponeDelivery implements [queue.Deliveries].
func (s *Store) PostponeDelivery(ctx context.Context, lease queue.DeliveryLease, until time.Time) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	return s.lanes.Yield(lease.Fence, func(*lane) int64 { return schedule.Nanos(until) })
}

func (s *Store) delivery(position int, endpoint string) *delivery {
	for _, d := range s.events[position].deliveries {
		if d.Endpoint == endpoint {
			return d
		}
	}
	// Not reached: lanes hold deliveries of their endpoint only.
	return &delivery{}
}
