// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// orderings are the numbers of orders in the table of endpoints.
var orderings = map[queue.Order]int16{queue.OrderObject: 0, queue.OrderEndpoint: 1, queue.OrderNone: 2}

// SetOrder implements [queue.Deliveries].
func (s *Store) SetOrder(ctx context.Context, endpoint string, order queue.Order) error {
	if err := order.Check(); err != nil {
		return err
	}
	err := s.say(ctx, kept, func(b *batch) {
		b.do(`insert into webhooks.endpoint as e (name, next) values ($1, $2)
			on conflict (name) do update set next = excluded.next where e.next <> excluded.next`, []byte(endpoint), orderings[order])
	})
	if err == nil {
		s.waiting.ring(deliveriesOf(endpoint))
	}
	return err
}

// reorder gives an endpoint its next order, unless something of it is leased. Then it says
// when the lease passes at the latest. From SetOrder on nobody leases anything, and all lanes
// are locked before they are looked at, so a lease that is just being given is seen.
func (s *Store) reorder(ctx context.Context, endpoint string) (done bool, next int64, err error) {
	name, now := []byte(endpoint), s.now()
	next = never
	err = s.in(ctx, kept, func(t *step) error {
		b := &batch{}
		s.lockLog(b)
		b.do("select from webhooks.lane where endpoint = $1 order by lane for update", name)
		var until *int64
		b.one(new(bool), []any{&until}, "select max(until) from webhooks.lane where endpoint = $1 and until > $2", name, now)
		if err := t.send(ctx, b); err != nil {
			return err
		}
		b = &batch{}
		if until != nil {
			done, next = false, *until
			return t.end(ctx, b)
		}
		done = true
		b.do("update webhooks.endpoint set ordering = next where name = $1", name)
		b.do("delete from webhooks.lane where endpoint = $1", name)
		b.do(`insert into webhooks.lane (endpoint, lane, wake) select distinct $1::bytea, webhooks.lane_of(e.ordering, p.object, p.position), $2::bigint
			from webhooks.pending p join webhooks.endpoint e on e.name = p.endpoint where p.endpoint = $1`, name, now)
		return t.end(ctx, b)
	})
	return done, next, err
}
