// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// largeTries is how often a Show is asked for that is too large to be kept: it may
// have been an accident.
const largeTries = 3

// hopeless reports whether there is no point in trying a mark again that failed,
// with err if its Show could not be read. What an API refuses for a day, and it
// never confirmed, is of nobody's concern. What it confirmed is asked for as long as
// that takes: the API may be down for days.
func hopeless(lease queue.MarkLease, err error, now time.Time) bool {
	switch {
	case errors.Is(err, ErrNever):
		return true
	case errors.Is(err, show.ErrTooLarge):
		return lease.Tries+1 >= largeTries
	}
	return lease.Hints.AreUnconfirmed() && now.Sub(lease.MarkedAt) >= missingFor
}

// blameless reports whether an error of a reading says nothing of the API's state.
func blameless(err error) bool {
	return errors.Is(err, ErrNever) || errors.Is(err, show.ErrTooLarge)
}

// failed tries a mark again that failed for a reason, or gives it up.
func (r *Reconciler) failed(ctx context.Context, records *queue.RecordBudget, lease queue.MarkLease, err error, reason string, atLeast time.Duration) Result {
	if hopeless(lease, err, r.now()) {
		return r.giveUp(ctx, records, lease, reason)
	}
	if !blameless(err) && !lease.Hints.AreUnconfirmed() {
		r.troubles.unread(lease.Key, ResultFailed, reason, r.now())
	}
	r.retry(ctx, lease, ResultFailed, reason, atLeast)
	return ResultFailed
}

// giveUp ends a mark with a record for the operator, once the API can no longer
// commit what was asked of it, and marks other objects.
func (r *Reconciler) giveUp(ctx context.Context, records *queue.RecordBudget, lease queue.MarkLease, reason string, marks ...queue.Mark) Result {
	now := r.now()
	if lease.SettleAt.After(now) {
		r.postpone(ctx, lease, lease.SettleAt)
		return ResultFailed
	}
	resource := lease.Cause.Resource
	if resource == "" {
		resource = lease.Key.Resource
	}
	r.metrics.Unresolved(resource)
	r.log.Warn("giving up on an object", zap.String("object", lease.Key.String()), zap.Time("marked_at", lease.MarkedAt), zap.String("reason", reason))
	return r.commit(ctx, nil, lease, queue.Reconciled{AskedAt: now, Unresolved: records.Spend(reason, now), Marks: marks}, ResultGivenUp)
}
