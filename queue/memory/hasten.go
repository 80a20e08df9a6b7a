// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"context"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// HastenDeliveries implements [queue.Deliveries].
func (s *Store) HastenDeliveries(ctx context.Context, endpoint string, which queue.Hasten) (int, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	var heads []int
	s.lanes.Heads(endpoint, which.Next, func(_ string, l lane, _ int64) {
		if len(l.pending) > 0 {
			heads = append(heads, l.pending[0])
		}
	})
	hastened, now := 0, s.now()
	for _, position := range heads {
		d := s.delivery(position, endpoint)
		if which.Key != (event.Key{}) && which.Key != d.Key || !d.DueAt.After(now) || s.holds(position, d) {
			continue
		}
		s.hasten(position, d, now)
		hastened++
	}
	return hastened, nil
}
