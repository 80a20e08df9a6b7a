// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"errors"
	"fmt"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

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
	defer s.leave()
	s.lanes.due.SetOrder(endpoint, order)
	return nil
}

// LeaseDelivery implements [queue.Deliveries].
func (s *Store) LeaseDelivery(ctx context.Context, endpoint string, options queue.LeaseOptions) (queue.DeliveryLease, error) {
	if err := s.awaitLanes(ctx, endpoint); err != nil {
		return queue.DeliveryLease{}, err
	}
	for {
		held, err := s.lanes.due.Lease(ctx, endpoint, options.For)
		if err != nil {
			return queue.DeliveryLease{}, err
		}
		s.settle(&held)
		if options.Coalesce && held.Order != queue.OrderNone && held.Value.pending > 1 {
			if err := s.supersede(ctx, held); err != nil {
				// The lease may be lost, and then it needs no release.
				_ = s.lanes.release(held.Fence, s.now())
				return queue.DeliveryLease{}, err
			}
			continue
		}
		var leased queue.DeliveryLease
		// The caller has the lease now, so its context must not end this.
		err = s.readLazily(context.Background(), func(l *lazyRead) error {
			var err error
			leased, err = s.begin(l, &held, options)
			return err
		})
		switch {
		case err == nil:
			return leased, nil
		case errors.Is(err, queue.ErrClosed), errors.Is(err, queue.ErrNotAdmitted):
			return queue.DeliveryLease{}, err
		case !errors.Is(err, errOthersFirst) && !errors.Is(err, queue.ErrLeaseLost):
			s.giveUp(held, err)
		}
	}
}

// begin finds the delivery that a lease is for, and reads it.
func (s *Store) begin(l *lazyRead, held *schedule.Lease[lane], options queue.LeaseOptions) (queue.DeliveryLease, error) {
	dueAt, err := s.findHead(l, held)
	if err != nil {
		return queue.DeliveryLease{}, err
	}
	waits := schedule.Nanos(dueAt) > schedule.Nanos(s.now())
	_, _, part := schedule.ParsePart(held.Key)
	switch {
	case held.Order == queue.OrderNone && !part:
		if err := s.split(held, dueAt); err != nil {
			return queue.DeliveryLease{}, err
		}
	case waits, held.Order == queue.OrderEndpoint && !s.lanes.due.IsFirst(held.Fence):
		// A head that was just found may wait for its retry, or be behind the
		// head of another lane.
		err := s.lanes.due.Yield(held.Fence, func(lane *lane) int64 {
			if lane.goBack() || !waits {
				return held.Due
			}
			return schedule.Nanos(dueAt)
		})
		return queue.DeliveryLease{}, errors.Join(errOthersFirst, err)
	}
	leased, err := s.readDelivery(l, *held, options.Admit)
	if errors.Is(err, queue.ErrNotAdmitted) {
		yielded := s.lanes.due.Yield(held.Fence, func(lane *lane) int64 {
			lane.goBack()
			return held.Due
		})
		return queue.DeliveryLease{}, errors.Join(err, yielded)
	}
	return leased, err
}

// split makes the head of a leased lane a part of its own, so that others of
// the object need not wait for it.
func (s *Store) split(held *schedule.Lease[lane], dueAt time.Time) error {
	part := lane{head: held.Value.head, pending: 1, attempts: held.Value.attempts}
	due := held.Due
	if !dueAt.IsZero() {
		due = schedule.Nanos(dueAt)
	}
	taken, err := s.lanes.due.Split(held.Fence, part.head, due, func(whole *lane) (lane, bool) {
		whole.pending--
		whole.lookFrom(part.head + 1)
		whole.goBack()
		return part, whole.pending > 0
	})
	if err != nil {
		return err
	}
	if taken.Fence == 0 {
		return errOthersFirst
	}
	*held = taken
	return nil
}

// giveUp ends the lease of a lane that cannot be read.
func (s *Store) giveUp(held schedule.Lease[lane], err error) {
	s.damaged("lane", err)
	held, pinErr := s.lanes.due.Pin(held.Fence)
	switch {
	case pinErr != nil:
		// The lease has passed meanwhile; another has the lane.
	case errors.Is(err, errDamaged) || errors.Is(err, badgerdb.ErrKeyNotFound):
		// No delivery of the lane can be read.
		s.lanes.drop(held)
	default:
		// Others must not wait for this lane.
		s.lanes.due.Finish(held.Fence, func(*lane) (int64, bool) { return schedule.Nanos(s.now().Add(postponed)), true })
	}
}

// settle takes over what has changed of a lane since its last lease.
func (s *Store) settle(held *schedule.Lease[lane]) {
	s.lanes.due.Update(held.Group, held.Key, func(lane *lane) {
		lane.goBack()
		held.Value = *lane
	})
}

// finishAttempt is the write of FinishAttempt.
type finishAttempt struct {
	waiter
	delivery queue.Delivery
	fence    uint64
	verdict  queue.Verdict
	attempt  []byte // its fields
	now      time.Time

	held schedule.Lease[lane]
}

// FinishAttempt implements [queue.Deliveries].
func (s *Store) FinishAttempt(ctx context.Context, lease queue.DeliveryLease, attempt queue.Attempt, verdict queue.Verdict) error {
	switch verdict.Status {
	case queue.StatusPending, queue.StatusDelivered, queue.StatusDead:
	default:
		return fmt.Errorf("%q is not a status of a delivery", verdict.Status)
	}
	return s.submit(ctx, newFinishAttempt(&lease, &attempt, verdict, s.now()))
}

func newFinishAttempt(lease *queue.DeliveryLease, attempt *queue.Attempt, verdict queue.Verdict, now time.Time) *finishAttempt {
	wr := &finishAttempt{
		delivery: lease.Delivery,
		fence:    lease.Fence,
		verdict:  verdict,
		attempt:  appendAttemptFields(make([]byte, 0, 128+len(attempt.Error)+len(attempt.Response)+len(attempt.Sent.Host)+len(attempt.Sent.Trace)), attempt),
		now:      now,
	}
	names := len(lease.Endpoint) + len(lease.Key.Resource) + len(lease.Key.ID) + len(lease.EventID)
	// The attempt is a record of its own, or a part of the delivery's.
	wr.need(len(lease.Endpoint)+17, len(lease.EventID)+16, len(wr.attempt))
	wr.need(names, 64)
	wr.need(names, len(lease.EventType), 64)
	return wr
}

func (wr *finishAttempt) stage(b *batch) error {
	held, err := b.s.lanes.due.Pin(wr.fence)
	if err != nil {
		return err
	}
	wr.held = held
	endpoint, position := held.Group, held.Value.head
	number := held.Value.attempts + 1
	expires := b.s.expiryOf(position)
	final := wr.verdict.Status != queue.StatusPending
	var first []byte
	if final && number == 1 {
		first = wr.attempt
	} else {
		b.setAttempt(endpoint, position, number, wr.delivery.EventID, wr.attempt, expires)
	}

	inLane := b.key(func(k []byte) []byte { return laneKey(k, endpoint, objectOf(held), position) })
	if !final {
		next := laneRecord{
			EventID: wr.delivery.EventID, Attempts: number, DueAt: wr.verdict.RetryAt,
			Prior: uint32(wr.delivery.PriorAttempts), Extra: uint32(wr.delivery.ExtraAttempts),
		}
		if !wr.delivery.HastenedFrom.IsZero() {
			next.Extra++
		}
		b.set(inLane, b.key(func(k []byte) []byte { return appendLane(k, &next) }))
		return nil
	}
	b.delete(inLane)
	decided := wr.delivery
	decided.Status = wr.verdict.Status
	decided.Attempts = int(number)
	decided.FinishedAt = wr.now
	b.setUntil(
		b.key(func(k []byte) []byte { return deliveryKey(k, endpoint, position) }),
		b.key(func(k []byte) []byte { return appendDelivery(k, &decided, first) }),
		expires)
	return nil
}

// setAttempt writes an attempt as a row of its own.
func (b *batch) setAttempt(endpoint string, position uint64, number uint32, eventID string, fields []byte, expires uint64) {
	b.setUntil(
		b.key(func(k []byte) []byte { return attemptKey(k, endpoint, position, number) }),
		b.key(func(k []byte) []byte { return appendAttempt(k, eventID, fields) }),
		expires)
}

func (wr *finishAttempt) committed(s *Store) {
	if wr.verdict.Status == queue.StatusPending {
		s.lanes.retry(wr.held, wr.verdict.RetryAt, wr.now)
		return
	}
	s.lanes.advance(wr.held, wr.now)
}

func (wr *finishAttempt) aborted(s *Store) {
	s.lanes.due.Unpin(wr.held.Fence)
}

// ReleaseDelivery implements [queue.Deliveries]. Leases are kept in memory
// only, so there is nothing to write.
func (s *Store) ReleaseDelivery(ctx context.Context, lease queue.DeliveryLease) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	return s.lanes.release(lease.Fence, s.now())
}

// PostponeDelivery implements [queue.Deliveries].
func (s *Store) PostponeDelivery(ctx context.Context, lease queue.DeliveryLease, until time.Time) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	return s.lanes.release(lease.Fence, until)
}
