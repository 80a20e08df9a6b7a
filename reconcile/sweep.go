// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/failpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// How often, and how many at a time, intents that nobody will resolve are
// looked for.
const (
	sweepEvery = time.Second
	sweepLimit = 256
)

// sweep resolves the intents whose exchange will not: those that a crash
// interrupted, and those that have been open for longer than the API takes.
func (r *Reconciler) sweep(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		for r.sweepOnce(ctx) {
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// sweepOnce resolves some stale intents, and tells whether there may be more.
func (r *Reconciler) sweepOnce(ctx context.Context) (more bool) {
	intents, err := r.store.StaleIntents(ctx, sweepLimit)
	if err != nil {
		if ctx.Err() == nil && !errors.Is(err, queue.ErrClosed) {
			r.log.Error("looking for stale intents", zap.Error(err))
		}
		return false
	}
	for _, intent := range intents {
		failpoint.Here("intent.stale")
		if err := r.store.ResolveIntent(ctx, intent.ID, r.resolveStale(intent), false); err != nil {
			if ctx.Err() == nil && !errors.Is(err, queue.ErrClosed) {
				r.log.Error("resolving a stale intent", zap.String("resource", intent.Resource), zap.Error(err))
			}
			return false
		}
	}
	return len(intents) == sweepLimit
}

// resolveStale decides what becomes of an intent without an outcome. Where it
// names its object, the object is reconciled now and once more when the API
// can no longer commit late.
func (r *Reconciler) resolveStale(intent queue.Intent) queue.Resolution {
	if intent.Key.IsZero() {
		r.metrics.Unresolved(intent.Resource)
		r.log.Warn("an exchange was interrupted, and nothing tells which object it may have created",
			zap.String("resource", intent.Resource), zap.String("rule", intent.Rule), zap.Time("noted", intent.Noted))
		return queue.Resolution{Unresolved: "the exchange was interrupted before the response told which object it is about"}
	}
	return queue.Resolution{Marks: []queue.Mark{{
		Key:      intent.Key,
		Hints:    HintsOf(intent.Kind, event.OutcomeUnknown),
		Cause:    event.Cause{Rule: intent.Rule, Outcome: event.OutcomeUnknown, At: intent.Noted},
		SettleAt: r.now().Add(intent.Deadline.Sub(intent.Noted)),
	}}}
}

// HintsOf returns the hints that an outcome of a rule gives about its object.
func HintsOf(kind event.Kind, outcome event.Outcome) queue.Hints {
	known := outcome == event.OutcomeChanged
	switch {
	case kind == event.KindDelete && known:
		return queue.HintDeleted
	case kind == event.KindDelete:
		return queue.HintMayBeDeleted
	case kind == event.KindCreate && known:
		return queue.HintCreated
	case kind == event.KindCreate:
		return queue.HintMayBeCreated
	case known:
		return queue.HintUpdated
	}
	return 0
}
