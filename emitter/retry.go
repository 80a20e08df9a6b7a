// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Retry has what waits for an endpoint attempted now, or what waits of one object
// if the key is not zero: retries that are due later, and what a breaker or a pause
// that the receiver asked for holds up. It returns how many retries it brought
// forward; these attempts take nothing of the schedule. Until the receiver has
// answered, it gets one attempt at a time.
//
// Retry fails with [ErrUnknownEndpoint] for an endpoint that is not applied, and
// with [ErrNotActive] for one that is paused or disabled.
func (e *Emitter) Retry(ctx context.Context, name string, key event.Key) (int, error) {
	e.mu.Lock()
	_, known := e.active[name]
	s := e.standings[name]
	e.mu.Unlock()
	if !known {
		return 0, fmt.Errorf("%w: %s", ErrUnknownEndpoint, name)
	}
	if status := e.Status(name); status != queue.EndpointActive {
		return 0, fmt.Errorf("%w: %s is %s; resume it, and what waits is sent", ErrNotActive, name, status)
	}
	n, err := e.store.HastenDeliveries(ctx, name, queue.Hasten{Key: key})
	if err != nil {
		return n, fmt.Errorf("bringing deliveries to %s forward: %w", name, err)
	}
	s.allow(e.options.Now())
	return n, nil
}

// allow ends the rests and pauses of the endpoint's receivers.
func (s *standing) allow(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, known := range []map[string]*receiver{s.receivers, s.hosts} {
		for _, r := range known {
			r.breaker = r.breaker.allow(now)
		}
	}
	s.signal()
}

// resumed brings forward what waits for an endpoint that gets deliveries again.
func (e *Emitter) resumed(ctx context.Context, name string) {
	if _, err := e.store.HastenDeliveries(ctx, name, queue.Hasten{}); err != nil {
		e.options.Metrics.QueueFailed(name)
		e.options.Logger.Error("bringing deliveries forward failed; they are sent when they are due",
			zap.String("endpoint", name), zap.Error(err))
	}
}
