// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"errors"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/failpoint"
	"github.com/caddy-webhooks/caddy-webhooks/internal/retryafter"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// reconcile reads one object's Show and commits the result. It reports whether
// the API answered. The place is given back when it has.
func (r *Reconciler) reconcile(ctx context.Context, resource *Resource, lease queue.MarkLease, late time.Duration, place *place) (answered bool) {
	asked := r.now()
	answer, err := resource.Read(ctx, lease)
	failpoint.Here("show.read")
	took := r.now().Sub(asked)
	if errors.Is(err, ErrNoCredential) {
		return r.noCredential(ctx, resource, lease)
	}
	if err != nil {
		return r.readFailed(ctx, resource.Name, resource.records, lease, err, took)
	}
	defer r.unplace(ctx, place, !overloaded(answer))()
	now := r.now()
	d := resource.decide(r.hasher, lease, answer, now)
	switch unlisted, err := r.isUnlisted(ctx, resource, lease); {
	case err != nil:
		return r.readFailed(ctx, resource.Name, resource.records, lease, err, took)
	case unlisted:
		d = resource.unlisted(lease, d)
	}
	if d, err = r.nowhere(ctx, resource, lease, answer.Status, d); err != nil {
		return r.readFailed(ctx, resource.Name, resource.records, lease, err, took)
	}
	result := r.act(ctx, resource, lease, d, answer, asked, late)
	r.metrics.Reconciled(resource.Name, result, took)
	return !overloaded(answer)
}

// act carries out a decision.
func (r *Reconciler) act(ctx context.Context, resource *Resource, lease queue.MarkLease, d decision, answer show.Show, asked time.Time, late time.Duration) Result {
	now := r.now()
	reconciled := queue.Reconciled{AskedAt: asked}
	result := ResultNoDifference
	if answer.Status/100 == 2 && d.finding != unusable && d.finding != missing {
		r.troubles.read(resource.Name)
	}
	switch d.finding {
	case moved, known:
		if resource.Noted != nil && d.op != event.OpDelete {
			resource.Noted(d.document, answer.Header)
		}
		var conditions, err error
		reconciled, conditions, err = resource.transition(r.instance, lease, d, answer, now)
		if err != nil {
			r.retry(ctx, lease, ResultFailed, err.Error(), 0)
			return ResultFailed
		}
		r.noteTransition(resource, lease, reconciled, conditions)
		reconciled.AskedAt = asked
		if d.name != (event.Key{}) {
			reconciled.Marks = []queue.Mark{movedMark(lease, d.name)}
		}
		if d.finding == moved {
			reconciled.Marks = append(reconciled.Marks, r.family(ctx, resource, lease, *reconciled.Snapshot, now)...)
		}
		result = ResultEvent
		switch {
		case d.uncertain:
			result = ResultUncertain
			reconciled.Unresolved = r.uncertain(resource, now)
		case d.finding == known:
			result = ResultKnown
		}
	case aliased:
		reconciled.Snapshot = &event.Snapshot{Key: lease.Key, Sequence: lastSequence(lease), Alias: d.name.ID, Time: now}
		reconciled.Marks = append(bereaved(resource, lease, false), aliasMark(lease, d.name))
		result = ResultAlias
	case foreign:
		result = ResultForeign
		if d.uncertain && !lease.SettleAt.After(asked) {
			reconciled.Unresolved = r.uncertain(resource, now)
		}
		return r.commit(ctx, nil, lease, reconciled, result)
	case early:
		r.postpone(ctx, lease, now.Add(d.again))
		return ResultEarly
	case stale:
		r.retry(ctx, lease, ResultStale, d.reason, 0)
		return ResultStale
	case unusable:
		return r.failed(ctx, resource.records, lease, nil, d.reason, retryAfter(answer.Header, now))
	case missing:
		return r.missing(ctx, resource, lease, d, answer.Status)
	case unproved:
		return r.giveUp(ctx, resource.records, lease, d.reason, bereaved(resource, lease, false)...)
	case nothing:
		if wait := between(lease.MarkedAt, lease.SettleAt, now); wait > 0 {
			r.postpone(ctx, lease, sooner(now.Add(wait), resource.lookAt(lease, d, now, late, r.jitter())))
			return ResultEarly
		}
		reconciled.Snapshot = resource.refreshed(lease.Snapshot, d.next)
		reconciled.Marks = bereaved(resource, lease, !isGone(answer))
	}
	reconciled.LookAt = resource.lookAt(lease, d, now, late, r.jitter())
	passed, err := resource.passed(lease, reconciled.Snapshot, &d, answer)
	if err != nil {
		r.retry(ctx, lease, ResultFailed, err.Error(), 0)
		return ResultFailed
	}
	return r.commitPassed(ctx, resource, lease, reconciled, passed, result)
}

// uncertainReason is the reason of the record of an object that is first seen
// after an exchange whose outcome is unknown.
const uncertainReason = "the object was never seen before, the API did not confirm the request, and nothing in its Show proves a change"

// uncertain counts such an object, and returns the reason to record, "" for none.
func (r *Reconciler) uncertain(resource *Resource, now time.Time) string {
	r.metrics.Unresolved(resource.Name)
	return resource.records.Spend(uncertainReason, now)
}

// aliasMark passes a mark on to the object's own name.
func aliasMark(lease queue.MarkLease, name event.Key) queue.Mark {
	mark := lease.Mark
	mark.Key = name
	if lease.Callback != nil && !lease.Callback.Closed {
		mark.Callback = lease.Callback.Sealed
	}
	return mark
}

// noteTransition reports a transition's problems to operators.
func (r *Reconciler) noteTransition(resource *Resource, lease queue.MarkLease, reconciled queue.Reconciled, conditions error) {
	if conditions != nil {
		r.metrics.ConditionFailed(resource.Name)
		r.log.Warn("a condition of an event could not be evaluated, so it does not hold",
			zap.String("object", lease.Key.String()), zap.Error(conditions))
	}
	if resource.Tenant != "" && reconciled.Snapshot.Tenant == "" && len(reconciled.Events) > 0 {
		r.metrics.Ownerless(resource.Name)
	}
	if reconciled.CloseCallback && resource.handedOver(lease.Snapshot, *reconciled.Snapshot) {
		r.log.Warn("an object belongs to another tenant than before, so the receiver that a request named for it gets nothing more",
			zap.String("object", lease.Key.String()))
	}
}

// noCredential leaves a mark whose Show only its caller may read until the next
// exchange brings a credential.
func (r *Reconciler) noCredential(ctx context.Context, resource *Resource, lease queue.MarkLease) bool {
	r.metrics.Reconciled(resource.Name, ResultNoCaller, 0)
	if err := r.store.RetryMark(ctx, lease, r.now().Add(lastRetry), ErrNoCredential.Error()); err != nil && ctx.Err() == nil && !errors.Is(err, queue.ErrClosed) && !errors.Is(err, queue.ErrLeaseLost) {
		r.log.Error("recording a retry", zap.String("object", lease.Key.String()), zap.Error(err))
	}
	return true
}

// readFailed schedules a retry of a mark whose reading failed, or gives it up. It
// reports whether the API may be sent as many requests as before.
func (r *Reconciler) readFailed(ctx context.Context, name string, records *queue.RecordBudget, lease queue.MarkLease, err error, took time.Duration) bool {
	if ctx.Err() != nil {
		r.release(lease)
		return true
	}
	r.metrics.Reconciled(name, r.failed(ctx, records, lease, err, err.Error(), 0), took)
	return blameless(err)
}

// listFailed schedules a retry of a list. A list is never given up: an operator asks
// for it, and must see that it does not work.
func (r *Reconciler) listFailed(ctx context.Context, name string, lease queue.MarkLease, err error, took time.Duration) bool {
	if ctx.Err() != nil {
		r.release(lease)
		return true
	}
	r.retry(ctx, lease, ResultFailed, err.Error(), 0)
	r.metrics.Reconciled(name, ResultFailed, took)
	return false
}

// overloaded reports whether an answer asks for fewer requests.
func overloaded(answer show.Show) bool {
	return answer.Status == http.StatusTooManyRequests || answer.Status >= 500
}

// missing retries, for a day, an object that the API does not know.
func (r *Reconciler) missing(ctx context.Context, resource *Resource, lease queue.MarkLease, d decision, status int) Result {
	if r.now().Sub(lease.MarkedAt) < missingFor {
		if !lease.Hints.AreUnconfirmed() {
			said := ResultMissing
			if status != http.StatusNotFound && status != http.StatusGone {
				said = ResultFailed // a page to log in is no word about the object
			}
			r.troubles.unread(lease.Key, said, d.reason, r.now())
		}
		r.retry(ctx, lease, ResultMissing, d.reason, 0)
		return ResultMissing
	}
	return r.giveUp(ctx, resource.records, lease, d.reason)
}

// commit commits what reconciling a mark has found. The resource is nil where there
// are no events.
func (r *Reconciler) commit(ctx context.Context, resource *Resource, lease queue.MarkLease, reconciled queue.Reconciled, result Result) Result {
	return r.commitPassed(ctx, resource, lease, reconciled, nil, result)
}

// commitPassed is commit for an object that may pass to a tenant: then it is as it was seen.
func (r *Reconciler) commitPassed(
	ctx context.Context, resource *Resource, lease queue.MarkLease, reconciled queue.Reconciled, passed *Sight, result Result,
) Result {
	failpoint.Here("reconciled.before")
	switch err := r.commitRouted(ctx, resource, lease, &reconciled, passed); {
	case err == nil:
	case errors.Is(err, queue.ErrLeaseLost):
		return ResultLost
	case errors.Is(err, queue.ErrClosed), ctx.Err() != nil:
		// Stopped: the mark is still there.
		return ResultFailed
	default:
		r.log.Error("committing a reconciliation", zap.String("object", lease.Key.String()), zap.Error(err))
		r.retry(ctx, lease, ResultFailed, "the queue could not commit", 0)
		return ResultFailed
	}
	failpoint.Here("reconciled.after")
	r.troubles.settled(lease.Key, r.now())
	if c := r.log.Check(zap.DebugLevel, "reconciled"); c != nil {
		c.Write(zap.String("object", lease.Key.String()), zap.String("result", string(result)), zap.Uint16("hints", uint16(lease.Hints)),
			zap.String("rule", lease.Cause.Rule), zap.Int("marks", len(reconciled.Marks)))
	}
	for i := range reconciled.Events {
		e := &reconciled.Events[i]
		r.metrics.Event(e.Type)
		if resource != nil && resource.Made != nil {
			resource.Made(&e.Event)
		}
		if c := r.log.Check(zap.DebugLevel, "event"); c != nil {
			c.Write(zap.String("event", e.ID), zap.String("type", e.Type), zap.String("object", e.Key.String()),
				zap.Uint64("sequence", e.Sequence), zap.Strings("endpoints", e.Endpoints))
		}
	}
	return result
}

func (r *Reconciler) retry(ctx context.Context, lease queue.MarkLease, result Result, reason string, atLeast time.Duration) {
	delay := max(backoff(lease.Tries, r.jitter()), atLeast)
	if result == ResultFailed || lease.Tries >= 3 { // replicas lag; before, this is no trouble
		r.troubles.failed(lease.Key, result, reason, r.now())
	}
	if c := r.log.Check(zap.DebugLevel, "asking for a Show again"); c != nil {
		c.Write(zap.String("object", lease.Key.String()), zap.String("result", string(result)),
			zap.String("reason", reason), zap.Int("tries", lease.Tries+1), zap.Duration("in", delay))
	}
	err := r.store.RetryMark(ctx, lease, r.now().Add(delay), reason)
	if err != nil && ctx.Err() == nil && !errors.Is(err, queue.ErrClosed) && !errors.Is(err, queue.ErrLeaseLost) {
		r.log.Error("recording a retry", zap.String("object", lease.Key.String()), zap.Error(err))
	}
}

// postpone leaves a mark for later, without a failure.
func (r *Reconciler) postpone(ctx context.Context, lease queue.MarkLease, at time.Time) {
	err := r.store.RetryMark(ctx, lease, at, "")
	if err != nil && !errors.Is(err, queue.ErrClosed) && !errors.Is(err, queue.ErrLeaseLost) {
		r.log.Error("postponing an object", zap.String("object", lease.Key.String()), zap.Error(err))
	}
}

// release returns a lease that was not used.
func (r *Reconciler) release(lease queue.MarkLease) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	// A lease that cannot be returned expires by itself.
	_ = r.store.RetryMark(ctx, lease, r.now(), "")
}

// retryAfter returns the wait that an API asks for.
func retryAfter(header http.Header, now time.Time) time.Duration {
	return min(retryafter.Parse(header, now), maxRetryAfter)
}
