// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"context"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// deliveryRow is a pending delivery as its table holds it.
type deliveryRow struct {
	endpoint, event, typ, object, resource, id, format []byte
	position, sequence, hastened, created, due         int64
	day                                                int32
	attempts, prior, extra                             int
	routed                                             bool
}

const pendingColumns = "p.endpoint, p.position, p.day, p.event, p.type, p.object, p.resource, p.id, p.sequence, p.attempts, p.prior, p.extra, p.hastened, p.created, p.due, p.routed, p.format"

func (r *deliveryRow) into() []any {
	return []any{
		&r.endpoint, &r.position, &r.day, &r.event, &r.typ, &r.object, &r.resource, &r.id, &r.sequence,
		&r.attempts, &r.prior, &r.extra, &r.hastened, &r.created, &r.due, &r.routed, &r.format,
	}
}

// delivery returns the pending delivery as callers get it.
func (r *deliveryRow) delivery(s *Store) queue.Delivery {
	c := &s.clock
	return queue.Delivery{
		EventID: string(r.event), EventType: string(r.typ), Key: event.Key{Resource: string(r.resource), ID: string(r.id)},
		Sequence: uint64(r.sequence), Endpoint: string(r.endpoint), Status: queue.StatusPending,
		Attempts: r.attempts, PriorAttempts: r.prior, ExtraAttempts: r.extra,
		HastenedFrom: c.out(moment(r.hastened)), CreatedAt: c.out(moment(r.created)), DueAt: c.out(moment(r.due)),
	}
}

// LeaseDelivery implements [queue.Deliveries].
func (s *Store) LeaseDelivery(ctx context.Context, endpoint string, options queue.LeaseOptions) (leased queue.DeliveryLease, err error) {
	err = s.await(ctx, deliveriesOf(endpoint), func(ctx context.Context) (found bool, next int64, err error) {
		for {
			var again bool
			err = s.in(ctx, loose, func(t *step) (err error) {
				l := &leasing{s: s, t: t, endpoint: []byte(endpoint), options: options, now: s.now()}
				found, again, next, err = l.run(ctx, &leased)
				return err
			})
			if err == nil && next == reorderFirst {
				if again, next, err = s.reorder(ctx, endpoint); err == nil && !again {
					return false, next, nil
				}
			}
			if !again || err != nil {
				return found, next, err
			}
		}
	})
	return leased, err
}

// reorderFirst says that an endpoint is to get another order before anything is leased.
const reorderFirst = never + 1

// leasing is one try to lease a delivery.
type leasing struct {
	s        *Store
	t        *step
	endpoint []byte
	options  queue.LeaseOptions
	now      int64

	lane   []byte
	head   deliveryRow
	size   int64
	exists bool
}

// run leases the first delivery of a lane that is due. Again means that something has
// changed, and the next try may find more.
func (l *leasing) run(ctx context.Context, leased *queue.DeliveryLease) (found, again bool, next int64, err error) {
	if found, next, err = l.takeLane(ctx); err != nil || !found {
		return false, false, next, err
	}
	var there bool
	for {
		if there, err = l.readHead(ctx); err != nil {
			return false, false, never, err
		}
		superseded := 0
		if there && l.options.Coalesce && len(l.lane) != positionSize {
			if superseded, err = l.supersede(ctx); err != nil {
				return false, false, never, err
			}
		}
		if superseded == 0 {
			break
		}
	}
	if !there || l.head.due > l.now {
		// All were cancelled just now; or another one stands first.
		b := &batch{}
		b.do("select webhooks.settle($1, $2, 0, $3)", l.endpoint, l.lane, l.now)
		return false, true, never, l.t.end(ctx, b)
	}
	if admit := l.options.Admit; admit != nil && !admit(l.size) {
		// What was superseded meanwhile stays so.
		b := &batch{}
		b.do("select webhooks.settle($1, $2, 0, $3)", l.endpoint, l.lane, l.now)
		if err := l.t.end(ctx, b); err != nil {
			return false, false, never, err
		}
		return false, false, never, queue.ErrNotAdmitted
	}
	return true, false, never, l.take(ctx, leased)
}

// takeLane locks a lane that is due, unless there is none. Then it says when one will be.
func (l *leasing) takeLane(ctx context.Context) (found bool, next int64, err error) {
	var reorder bool
	var soonest *int64
	b := &batch{}
	b.one(new(bool), []any{&reorder}, "select ordering <> next from webhooks.endpoint where name = $1", l.endpoint)
	b.one(&found, []any{&l.lane}, `select lane from webhooks.lane where endpoint = $1 and wake <= $2
		and not exists (select from webhooks.endpoint where name = $1 and ordering <> next)
		order by wake limit 1 for update skip locked`, l.endpoint, l.now)
	b.one(new(bool), []any{&soonest}, "select min(wake) from webhooks.lane where endpoint = $1 and wake > $2", l.endpoint, l.now)
	if err := l.t.send(ctx, b); err != nil || found {
		return found, never, err
	}
	switch next = never; {
	case reorder:
		next = reorderFirst
	case soonest != nil:
		next = *soonest
	}
	return false, next, l.t.end(ctx, &batch{})
}

// positionSize is the length of the name of a lane that is one delivery.
const positionSize = 8

// readHead reads the first delivery of the lane, and how large its event is.
func (l *leasing) readHead(ctx context.Context) (found bool, err error) {
	b := &batch{}
	b.one(&found, append(l.head.into(), &l.exists, &l.size), "select "+pendingColumns+`, e.position is not null, coalesce(e.size, 0)
		from webhooks.pending p left join webhooks.event e on e.position = p.position and e.day = p.day
		where p.endpoint = $1 and p.position = webhooks.head($1, $2)`, l.endpoint, l.lane)
	return found, l.t.send(ctx, b)
}

// supersede decides all deliveries of the head's object but the newest.
func (l *leasing) supersede(ctx context.Context) (superseded int, err error) {
	b := &batch{}
	b.sum(&superseded, decide(`delete from webhooks.pending p where p.endpoint = $1 and p.object = $2
		and p.position < (select max(position) from webhooks.pending where endpoint = $1 and object = $2)`, "$3", "$4"),
		l.endpoint, l.head.object, string(queue.StatusSuperseded), l.now)
	return superseded, l.t.send(ctx, b)
}

// decide returns a statement that makes history of the pending deliveries that another one
// deletes, and counts them. Of days that were dropped there is no history.
func decide(deletes, status, finished string) string {
	return "with gone as (" + deletes + ` returning p.*), kept as (
		insert into webhooks.decided (endpoint, position, day, event, type, object, resource, id, sequence, attempts, prior, created, finished, status, routed, format)
		select endpoint, position, day, event, type, object, resource, id, sequence, attempts, prior, created, ` + finished + ", " + status + `, routed, format
		from gone where day >= (select first_day from webhooks.setting))
		select count(*) from gone`
}

// take leases the head, and reads its event.
func (l *leasing) take(ctx context.Context, leased *queue.DeliveryLease) error {
	fence, until := l.s.self.Load().number(), l.now+int64(l.options.For)
	row, there := &eventRow{}, false
	b := &batch{}
	b.do("update webhooks.lane set wake = $3, until = $3, fence = $4, leased = $5 where endpoint = $1 and lane = $2",
		l.endpoint, l.lane, until, fence, l.head.position)
	if l.exists {
		b.one(&there, row.into(), "select "+eventColumns+" from webhooks.event where position = $1 and day = $2", l.head.position, l.head.day)
	}
	if err := l.t.end(ctx, b); err != nil {
		l.s.doubts.add(func(f *freeing) { f.lane(l.endpoint, l.lane, fence) })
		return err
	}
	*leased = queue.DeliveryLease{
		Delivery: l.head.delivery(l.s), Format: string(l.head.format), Fence: uint64(fence),
	}
	if there {
		var err error
		if leased.Event, err = row.whole(); err != nil {
			return err
		}
	} else {
		leased.Expired, leased.Event = true, event.Event{ID: leased.EventID, Key: leased.Key}
	}
	l.s.deliveries.add(fence, holding{lane: bytes.Clone(l.lane), row: l.head}, until, l.now)
	return nil
}

// FinishAttempt implements [queue.Deliveries].
func (s *Store) FinishAttempt(ctx context.Context, lease queue.DeliveryLease, attempt queue.Attempt, verdict queue.Verdict) error {
	if err := checkVerdict(verdict); err != nil {
		return err
	}
	return s.finish(ctx, lease, loose, func(b *batch, h *holding, now int64) {
		row := h.row
		row.attempts++
		b.do(`insert into webhooks.attempt (endpoint, position, day, number, event, at, duration, code, error, response, sent)
			select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 where $3 >= (select first_day from webhooks.setting)`,
			row.endpoint, row.position, row.day, row.attempts, row.event, nanos(s.clock.in(attempt.At)), int64(attempt.Duration), attempt.Code,
			[]byte(attempt.Error), orNull(attempt.Response), encodeSent(&attempt.Sent))
		if verdict.Status == queue.StatusPending {
			extra := row.extra
			if row.hastened != never {
				extra++
			}
			b.do("update webhooks.pending set attempts = $3, extra = $4, hastened = $5, due = $6 where endpoint = $1 and position = $2",
				row.endpoint, row.position, row.attempts, extra, int64(never), nanos(s.clock.in(verdict.RetryAt)))
			return
		}
		b.do("update webhooks.pending set attempts = $3 where endpoint = $1 and position = $2", row.endpoint, row.position, row.attempts)
		b.do(decide("delete from webhooks.pending p where p.endpoint = $1 and p.position = $2", "$3", "$4"),
			row.endpoint, row.position, string(verdict.Status), now)
	})
}

// ReleaseDelivery implements [queue.Deliveries].
func (s *Store) ReleaseDelivery(ctx context.Context, lease queue.DeliveryLease) error {
	return s.finish(ctx, lease, loose, func(b *batch, h *holding, now int64) {
		b.do("update webhooks.lane set wake = $3 where endpoint = $1 and lane = $2", h.row.endpoint, h.lane, now)
	})
}

// PostponeDelivery implements [queue.Deliveries].
func (s *Store) PostponeDelivery(ctx context.Context, lease queue.DeliveryLease, until time.Time) error {
	return s.finishWith(ctx, lease, loose, func(b *batch, h *holding, _ int64) {
		b.do("update webhooks.lane set wake = $3, until = 0, fence = 0 where endpoint = $1 and lane = $2", h.row.endpoint, h.lane, nanos(s.clock.in(until)))
	})
}

// finish ends a lease, and has the lane go on with its first delivery.
func (s *Store) finish(ctx context.Context, lease queue.DeliveryLease, how safety, change func(b *batch, h *holding, now int64)) error {
	return s.finishWith(ctx, lease, how, func(b *batch, h *holding, now int64) {
		change(b, h, now)
		b.do("select webhooks.settle($1, $2, $3, $4)", h.row.endpoint, h.lane, int64(lease.Fence), now)
	})
}

// finishWith ends a lease in one message, unless it is over.
func (s *Store) finishWith(ctx context.Context, lease queue.DeliveryLease, how safety, change func(b *batch, h *holding, now int64)) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	fence, now := int64(lease.Fence), s.now()
	h, ok := s.deliveries.get(fence)
	if !ok {
		return queue.ErrLeaseLost
	}
	err := s.say(ctx, how, func(b *batch) {
		b.do("select webhooks.hold_lane($1, $2, $3, $4)", h.row.endpoint, h.lane, fence, now)
		change(b, &h, now)
	})
	if err == nil {
		s.deliveries.drop(fence)
		s.waiting.ring(deliveriesOf(lease.Endpoint))
	} else if unanswered(err) {
		s.doubts.add(func(f *freeing) { f.lane(h.row.endpoint, h.lane, fence) })
	}
	return err
}
