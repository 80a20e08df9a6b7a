// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"errors"
	"maps"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/failpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// How often to look for intents that nobody will resolve, and how many at a
// time.
const (
	sweepEvery = time.Second
	sweepLimit = 256
)

// sweep handles intents that are not resolved in time. It resolves those that a
// crash interrupted. Those whose exchange is still under way stay open, since
// only the open intent keeps the change from being lost if the process dies;
// but their objects are marked again and again, as the API may be done long
// before a response whose last byte does not come.
func (r *Reconciler) sweep(ctx context.Context, overdue *overdue) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		for r.sweepOnce(ctx, overdue) {
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// sweepOnce handles some intents, and reports whether there may be more.
func (r *Reconciler) sweepOnce(ctx context.Context, overdue *overdue) (more bool) {
	intents, err := r.store.StaleIntents(ctx, sweepLimit)
	if err != nil {
		r.sweepFailed(ctx, err)
		return false
	}
	now := r.now()
	abandoned := 0
	running := make(map[queue.IntentID]bool, len(intents))
	for _, intent := range intents {
		if !intent.Abandoned {
			running[intent.ID] = true
			if overdue.isWaiting(intent.ID, now) {
				continue
			}
		}
		failpoint.Here("intent.stale")
		id, resolution := intent.ID, r.resolveStale(intent)
		if intent.Abandoned {
			abandoned++
		} else {
			overdue.spread(id, resolution.Marks, now, now.Add(intent.Deadline.Sub(intent.Noted)))
			id = 0 // mark its objects, and leave the intent open
		}
		if id != 0 && intent.Key.IsZero() {
			r.unresolvedStale(intent)
			resolution.Unresolved = "the exchange was interrupted before the response showed which object it is about"
		}
		// If the closing of an intent is lost, the intent is open again at the
		// next start.
		if err := r.store.ResolveIntent(ctx, id, resolution, false); err != nil {
			r.sweepFailed(ctx, err)
			return false
		}
	}
	maps.DeleteFunc(overdue.again, func(id queue.IntentID, _ time.Time) bool { return !running[id] })
	return abandoned == sweepLimit
}

func (r *Reconciler) sweepFailed(ctx context.Context, err error) {
	if ctx.Err() == nil && !errors.Is(err, queue.ErrClosed) {
		r.log.Error("handling stale intents", zap.Error(err))
	}
}

// unresolvedStale reports an intent with an unknown object to operators.
func (r *Reconciler) unresolvedStale(intent queue.Intent) {
	r.metrics.Unresolved(intent.Resource)
	r.log.Warn("an exchange was interrupted, and the object that it may have created is unknown",
		zap.String("resource", intent.Resource), zap.String("rule", intent.Rule), zap.Time("noted", intent.Noted))
}

// resolveStale decides what happens to the objects that an intent without an
// outcome names: they are reconciled now, and once more when the API can no
// longer commit late.
func (r *Reconciler) resolveStale(intent queue.Intent) queue.Resolution {
	resolution := queue.Resolution{}
	for _, key := range append([]event.Key{intent.Key}, intent.Touches...) {
		if key.IsZero() {
			continue
		}
		mark := queue.Mark{
			Key:      key,
			Hints:    queue.HintsOf(intent.Kind, event.OutcomeUnknown),
			Cause:    event.Cause{Rule: intent.Rule, Outcome: event.OutcomeUnknown, At: intent.Noted, Hops: intent.Hops},
			SettleAt: r.now().Add(intent.Deadline.Sub(intent.Noted)),
		}
		if key.Resource != intent.Resource {
			mark.Hints = queue.HintsOf(event.KindUpdate, event.OutcomeUnknown)
			mark.Cause.Resource = intent.Resource
		}
		if !intent.Abandoned {
			// A client can hold its request open for as long as it likes.
			mark.Hints |= queue.HintUnconfirmed
		}
		resolution.Marks = append(resolution.Marks, mark)
	}
	return resolution
}
