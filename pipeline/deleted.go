// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/verbs"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// sweepAgain is how long after a sweep that has left something the next begins: what is
// being attempted when its endpoint is deleted may come back for a retry.
const sweepAgain = 5 * time.Second

// sweepDeleted cancels what is pending for stored endpoints that were deleted, since
// nobody will ever get it: at the start, as a process may have ended meanwhile, and
// after each wake.
func (s *session) sweepDeleted(ctx context.Context, log *zap.Logger) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.deleted:
		case <-timer.C:
		}
		left, err := s.cancelDeleted(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Warn("cancelling what is pending for deleted endpoints; it is tried again", zap.Error(err))
			timer.Reset(sweepAgain)
		case left:
			timer.Reset(sweepAgain)
		}
	}
}

// wakeSweep has what is pending for deleted endpoints looked at.
func (s *session) wakeSweep() {
	select {
	case s.deleted <- struct{}{}:
	default: // it is awake already
	}
}

// cancelDeleted cancels once, and reports whether something may be left.
func (s *session) cancelDeleted(ctx context.Context) (left bool, err error) {
	stats, err := s.store.Stats(ctx)
	if err != nil {
		return true, err
	}
	if stats.PendingDeliveries == nil {
		return true, nil // it is not known yet
	}
	for name, pending := range stats.PendingDeliveries {
		if pending == 0 || !subscribers.IsID(name) {
			continue
		}
		_, err := s.store.Record(ctx, queue.KindEndpoint, name)
		if !errors.Is(err, queue.ErrNotFound) {
			if err != nil {
				return true, err
			}
			continue
		}
		left = true
		if err := verbs.CancelAll(ctx, s.store, name); err != nil {
			return true, err
		}
	}
	return left, nil
}
