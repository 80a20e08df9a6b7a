// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// HastenDeliveries implements [queue.Deliveries].
func (s *Store) HastenDeliveries(ctx context.Context, endpoint string, which queue.Hasten) (hastened int, err error) {
	now := s.now()
	var object []byte
	if which.Key != (event.Key{}) {
		object = objectOf(which.Key)
	}
	// Of an endpoint in order there is one lane: a leased one hides all others.
	waits := "l.endpoint = $1 and l.wake > $2 and l.until <= $2"
	if which.Next {
		waits += " and not exists (select from webhooks.lane due where due.endpoint = $1 and due.wake <= $2) order by l.wake limit 1"
	}
	err = s.say(ctx, loose, func(b *batch) {
		hastened = 0
		s.lockLog(b)
		b.sum(&hastened, `with waits as (select l.endpoint, l.lane, webhooks.head(l.endpoint, l.lane) as position
				from webhooks.lane l where `+waits+` for update),
			early as (update webhooks.pending p set hastened = case when p.hastened = $4 then p.due else p.hastened end, due = $2
				from waits w where p.endpoint = w.endpoint and p.position = w.position and p.due > $2 and ($3::bytea is null or p.object = $3)
				returning w.endpoint, w.lane),
			woken as (update webhooks.lane l set wake = $2 from early e where l.endpoint = e.endpoint and l.lane = e.lane)
			select count(*) from early`, []byte(endpoint), now, object, int64(never))
	})
	if hastened > 0 {
		s.waiting.ring(deliveriesOf(endpoint))
	}
	return hastened, err
}
