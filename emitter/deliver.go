// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
	"github.com/caddy-webhooks/caddy-webhooks/internal/failpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// destination is where one attempt goes.
type destination struct {
	// receiver is the name under which the breaker knows the receiver.
	receiver string
	// host and rank are where a receiver that a request has named takes its
	// place, and timeout limits the attempt if it is not 0.
	host          string
	rank          rank
	timeout       time.Duration
	url           *url.URL
	template      *http.Request
	authorization string
	// format is the payload format of the event.
	format payload.Format
}

// Errors in the attempts of deliveries that end without being sent.
//
//nolint:gosec // G101: these are words for operators, and no credentials.
const (
	expiredWords  = "not sent: the event's retention has passed"
	deadlineWords = "not sent: the endpoint's deadline has passed"
	loopWords     = "not sent: the event came from deliveries to this endpoint, again and again; does its URL lead back to the API?"
	nowhereWords  = "not sent: the object has no receiver, or it wants no more"
	foreignWords  = "not sent: the endpoint's tenant may not have this event"
)

// deliver makes one attempt and records it. If the endpoint has a single
// receiver, the attempt already has a place there.
func (d *dispatcher) deliver(ctx context.Context, lease *queue.DeliveryLease) {
	began := d.options.Now()
	vacate := func() {
		if d.target.Resolve == nil { // else none is taken yet
			d.standing.vacate(d.limits.receiver)
		}
	}
	kept, found, room := d.standing.recall(lease, began)
	switch {
	case found:
		vacate()
		d.record(lease, kept.attempt, kept.verdict)
		return
	case !room:
		vacate()
		d.postpone(*lease, maxPause)
		return
	}
	if words := d.unsent(lease, began); words != "" {
		vacate()
		d.refuse(lease, began, words)
		return
	}
	to, ok := d.destination(ctx, lease, began)
	if ok {
		d.send(ctx, lease, to, began)
	}
}

// unsent returns why a delivery must not be attempted, or "".
func (d *dispatcher) unsent(lease *queue.DeliveryLease, now time.Time) string {
	switch deadline := d.deadline(lease); {
	case lease.Expired:
		return expiredWords
	case d.foreign(lease):
		return foreignWords
	case !deadline.IsZero() && now.After(deadline):
		return deadlineWords
	case d.target.Resolve == nil && d.options.Hops.Broken(lease.Event.Cause.Hops, lease.Endpoint, ""):
		return loopWords
	default:
		return ""
	}
}

// foreign reports whether the endpoint may not have the event, as when it has got
// another tenant since the event was routed to it.
func (d *dispatcher) foreign(lease *queue.DeliveryLease) bool {
	return !lease.Expired && !lease.Event.VisibleTo(d.target.Endpoint.Tenant)
}

// deadline returns when a delivery is no longer wanted; zero is never. A
// delivery that was requested again has none.
func (d *dispatcher) deadline(lease *queue.DeliveryLease) time.Time {
	if d.target.Endpoint.Deadline == 0 || lease.PriorAttempts > 0 {
		return time.Time{}
	}
	return lease.CreatedAt.Add(d.target.Endpoint.Deadline)
}

// refuse ends a delivery without an attempt.
func (d *dispatcher) refuse(lease *queue.DeliveryLease, at time.Time, words string) {
	d.record(lease, queue.Attempt{At: at, Error: words}, queue.Verdict{Status: queue.StatusDead})
}

// destination returns where a delivery goes, with a place taken there. It
// returns false if that was not possible and the delivery was returned to the
// queue or decided.
func (d *dispatcher) destination(ctx context.Context, lease *queue.DeliveryLease, began time.Time) (destination, bool) {
	if d.target.Resolve == nil {
		return destination{receiver: d.limits.receiver, url: d.url, template: d.template}, true
	}
	resolving, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	address, err := d.target.Resolve(resolving, lease.Key)
	if err != nil && ctx.Err() != nil {
		d.release(*lease)
		return destination{}, false
	}
	if errors.Is(err, ErrNoReceiver) {
		d.refuse(lease, began, nowhereWords)
		return destination{}, false
	}
	var u *url.URL
	if err == nil {
		if u, err = parseURL(address.URL); err != nil {
			d.refuse(lease, began, nowhereWords)
			return destination{}, false
		}
	}
	if err != nil {
		d.logger.Error("looking up an object's receiver", zap.Stringer("object", lease.Key), zap.Error(err))
		d.finish(lease, answer{err: errNoAddress}, ruling{}, began, d.options.Now())
		return destination{}, false
	}
	to := destination{receiver: receiverKey(address.URL), host: u.Host, url: u, template: newTemplate(u), authorization: address.Authorization}
	if d.options.Hops.Broken(lease.Event.Cause.Hops, lease.Endpoint, to.receiver) {
		d.refuse(lease, began, loopWords)
		return destination{}, false
	}
	switch wait := d.standing.beginNamed(d.limits, &to, d.options.Now()); {
	case wait == forever:
		d.release(*lease)
		return to, false
	case wait > 0:
		d.postpone(*lease, wait)
		return to, false
	}
	return to, true
}

// send makes an attempt, and records it.
func (d *dispatcher) send(ctx context.Context, lease *queue.DeliveryLease, to destination, began time.Time) {
	trace, endSpan := d.options.Tracer.Attempt(ctx, &lease.Delivery, lease.Event.Cause)
	failpoint.Here("delivery.leased")
	got := d.protected(ctx, lease, to, trace, began)
	failpoint.Here("attempt.made")
	ended := d.options.Now()
	if got.err != nil && ctx.Err() != nil {
		// Cancelled by Stop, which is not the receiver's fault.
		endSpan(0, "cancelled")
		d.vacate(&to)
		d.release(*lease)
		return
	}
	endSpan(got.code, describe(got.err))
	meant := rule(got.code, got.word, got.err, d.target.Endpoint.Success)
	f := finished{
		ruling: meant, began: began, ended: ended, reason: got.failure(meant), asked: got.retryAfter, jitter: d.options.Jitter(),
	}
	if d.target.Resolve != nil {
		d.standing.endNamed(d.limits, &to, f, unreachable(got.err))
		d.finish(lease, got, meant, began, ended)
		return
	}
	changed, state := d.standing.end(d.limits, to.receiver, f, d.target.Endpoint.DisableAfter)
	d.finish(lease, got, meant, began, ended)
	d.report(changed, state, ended)
	d.plan()
}

// vacate returns a place that no attempt was made from.
func (d *dispatcher) vacate(to *destination) {
	if d.target.Resolve != nil {
		d.standing.vacateNamed(to, d.options.Now())
		return
	}
	d.standing.vacate(to.receiver)
}

// finish records an attempt and its consequences.
func (d *dispatcher) finish(lease *queue.DeliveryLease, got answer, meant ruling, began, ended time.Time) {
	attempt := queue.Attempt{
		At: began, Duration: ended.Sub(began), Code: got.code, Response: got.body, Error: got.failure(meant),
		Sent: got.sent,
	}
	if meant.final {
		attempt.Error += "; the receiver asked not to be sent this again"
	}
	counted := lease.Attempts - lease.PriorAttempts - lease.ExtraAttempts
	if lease.HastenedFrom.IsZero() {
		counted++
	}
	d.record(lease, attempt, decide(meant, trial{
		attempts: max(1, counted), hastened: lease.HastenedFrom, ended: ended, asked: got.retryAfter,
		jitter: d.options.Jitter(), deadline: d.deadline(lease),
	}, Schedule(d.target.Endpoint.Schedule)))
}

// failure says in words why an attempt failed; "" if it did not.
func (a *answer) failure(meant ruling) string {
	words := describe(a.err)
	if words == "" && !meant.delivered {
		words = describeCode(a.code)
	}
	return words
}

// protected makes an attempt and recovers from panics. The process serves the
// API, and must not go down over a delivery.
func (d *dispatcher) protected(ctx context.Context, lease *queue.DeliveryLease, to destination, trace string, began time.Time) (got answer) {
	defer func() {
		if r := recover(); r != nil {
			d.logger.Error("an attempt panicked", zap.String("event", lease.EventID),
				zap.String("panic", fmt.Sprintf("%T", r)), zap.ByteString("stack", debug.Stack()))
			got = answer{err: errPanic}
		}
	}()
	to.format = d.format(lease.Format)
	return d.attempt(ctx, &lease.Event, to, trace, began)
}

// record finishes an attempt. A result that the queue cannot record is
// remembered, and recorded when the delivery is leased again: otherwise the
// event would be sent again and again for as long as the queue cannot record.
func (d *dispatcher) record(lease *queue.DeliveryLease, attempt queue.Attempt, verdict queue.Verdict) {
	name := d.target.Endpoint.Name
	err := d.store.FinishAttempt(d.deadlines.Context(), *lease, attempt, verdict)
	failpoint.Here("attempt.recorded")
	if err != nil {
		d.standing.remember(lease, attempt, verdict, err, d.options.Now())
	}
	switch {
	case err == nil:
		d.standing.rested(lease.EventID)
		d.recorded(lease, attempt, verdict)
	case errors.Is(err, queue.ErrLeaseLost):
		d.options.Metrics.LeaseLost(name)
		d.logger.Debug("attempt not recorded", zap.String("event", lease.EventID), zap.Error(err))
	default:
		d.options.Metrics.QueueFailed(name)
		d.logger.Error("recording an attempt failed; it is recorded later, without sending the event again",
			zap.String("event", lease.EventID), zap.Error(err))
	}
}

// recorded reports the result of an attempt.
func (d *dispatcher) recorded(lease *queue.DeliveryLease, attempt queue.Attempt, verdict queue.Verdict) {
	if attempt.Code == 0 && attempt.Duration == 0 {
		d.options.Metrics.Unsent(lease.Endpoint)
	} else {
		ended := attempt.At.Add(attempt.Duration)
		d.options.Metrics.Attempted(lease.Endpoint, verdict.Status, attempt.Code, attempt.Duration, ended.Sub(lease.CreatedAt))
	}
	d.log(lease, attempt, verdict)
	// A failure to deliver a message about trouble is not announced: two
	// failing endpoints would notify each other for ever.
	// Nor is that of a foreign event, which would tell the tenant of it.
	if verdict.Status != queue.StatusDead || lease.Key.Resource == OperationalResource || d.foreign(lease) {
		return
	}
	delivery := lease.Delivery
	delivery.Status, delivery.Attempts = queue.StatusDead, lease.Attempts+1
	attempt.EventID, attempt.Endpoint, attempt.Number = lease.EventID, lease.Endpoint, delivery.Attempts
	d.options.Notify(Notice{
		Type: DeliveryExhausted, At: d.options.Now(), State: d.standing.view().EndpointState,
		Delivery: &delivery, Attempt: &attempt,
	})
}

func (d *dispatcher) log(lease *queue.DeliveryLease, attempt queue.Attempt, verdict queue.Verdict) {
	level, message := zap.DebugLevel, "event delivered"
	switch verdict.Status {
	case queue.StatusPending:
		level, message = zap.InfoLevel, "attempt failed"
	case queue.StatusDead:
		level, message = zap.WarnLevel, "delivery is dead: no attempt is left"
	default:
	}
	entry := d.logger.Check(level, message)
	if entry == nil {
		return
	}
	fields := []zap.Field{
		zap.String("event", lease.EventID), zap.String("type", lease.EventType), zap.Stringer("object", lease.Key),
		zap.Int("attempt", lease.Attempts+1), zap.Int("code", attempt.Code), zap.Duration("duration", attempt.Duration),
	}
	if attempt.Error != "" {
		fields = append(fields, zap.String("error", attempt.Error))
	}
	if verdict.Status == queue.StatusPending {
		fields = append(fields, zap.Time("retry_at", verdict.RetryAt))
	}
	entry.Write(fields...)
}
