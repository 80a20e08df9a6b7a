// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Bounds of repairing.
const (
	maxRepairs  = 4096
	repairEvery = time.Second
)

// repair is a resolution that the queue could not take.
type repair struct {
	resource   string
	intent     queue.IntentID
	resolution queue.Resolution
}

// repairs offers resolutions to the queue again until it takes them. They are
// held in memory; where the intent is durable, a crash loses nothing either.
type repairs struct {
	store   queue.Intents
	log     *zap.Logger
	pending chan repair
	cancel  context.CancelFunc
	done    chan struct{}
}

func newRepairs(store queue.Intents, log *zap.Logger) *repairs {
	ctx, cancel := context.WithCancel(context.Background())
	r := &repairs{store: store, log: log, pending: make(chan repair, maxRepairs), cancel: cancel, done: make(chan struct{})}
	go r.run(ctx)
	return r
}

// add takes a resolution, or returns false when there are too many already.
func (r *repairs) add(one repair) bool {
	select {
	case r.pending <- one:
		return true
	default:
		return false
	}
}

func (r *repairs) run(ctx context.Context) {
	defer close(r.done)
	for {
		select {
		case <-ctx.Done():
			return
		case one := <-r.pending:
			if !r.repair(ctx, one) {
				r.lost(one)
				return
			}
		}
	}
}

// repair offers one resolution until the queue takes it. It returns false when
// it never will.
func (r *repairs) repair(ctx context.Context, one repair) bool {
	ticker := time.NewTicker(repairEvery)
	defer ticker.Stop()
	for {
		err := r.store.ResolveIntent(ctx, one.intent, one.resolution, true)
		switch {
		case err == nil:
			r.log.Info("a gap is repaired", zap.String("resource", one.resource))
			metrics.repaired.WithLabelValues(one.resource).Inc()
			return true
		case errors.Is(err, queue.ErrClosed), ctx.Err() != nil:
			return false
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return false
		}
	}
}

// lost counts what cannot be repaired any more.
func (r *repairs) lost(one repair) {
	for {
		metrics.gaps.WithLabelValues(one.resource, "mark").Add(float64(max(len(one.resolution.Marks), 1)))
		select {
		case one = <-r.pending:
		default:
			return
		}
	}
}

// stop ends repairing and waits for it, at most until ctx ends.
func (r *repairs) stop(ctx context.Context) error {
	r.cancel()
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
