// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/internal/failpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

const (
	// leaseMargin is how much longer than an attempt a lease is: time for a
	// busy queue to record the attempt, and to wait before another if it
	// cannot.
	leaseMargin = 30 * time.Second
	// recordTimeout bounds a call to a queue that hangs.
	recordTimeout = 5 * time.Second
	// A queue that fails is asked again after minPause, then ever less often.
	minPause = time.Second
	maxPause = 30 * time.Second
)

// dispatcher delivers to one target. Everything that is the same for all its
// attempts is made once.
type dispatcher struct {
	store   queue.Deliveries
	options Options
	target  Target
	url     *url.URL
	// template is what all requests have in common.
	template *http.Request
	logger   *zap.Logger
	// slots holds a token for each attempt in flight.
	slots chan struct{}

	// retire ends leasing, abort breaks off attempts. Both are set on starting
	// and may be called more than once.
	retire, abort context.CancelFunc
}

func newDispatcher(store queue.Deliveries, options Options, target Target, u *url.URL) *dispatcher {
	return &dispatcher{
		store: store, options: options, target: target, url: u,
		template: newTemplate(u),
		logger: options.Logger.With(zap.String("endpoint", target.Endpoint.Name),
			zap.String("receiver", u.Scheme+"://"+u.Host)),
		slots: make(chan struct{}, target.Endpoint.Concurrency),
	}
}

// run leases deliveries and starts their attempts until leasing is done, and
// returns when the last attempt has ended. A delivery is leased only when there
// is room for its attempt, so that its lease time covers nothing else.
func (d *dispatcher) run(leasing, attempting context.Context) {
	var inFlight sync.WaitGroup
	defer inFlight.Wait()
	pause := minPause
	for {
		select {
		case d.slots <- struct{}{}:
		case <-leasing.Done():
			return
		}
		lease, err := d.store.LeaseDelivery(leasing, d.target.Endpoint.Name, queue.LeaseOptions{For: d.target.Endpoint.Timeout + leaseMargin})
		switch {
		case err == nil && leasing.Err() != nil:
			// The lease came while leasing ended.
			d.release(lease)
			return
		case err == nil:
			pause = minPause
			inFlight.Go(func() {
				defer func() { <-d.slots }()
				d.deliver(attempting, lease)
			})
			continue
		case leasing.Err() != nil, errors.Is(err, queue.ErrClosed):
			return
		}
		<-d.slots
		d.options.Metrics.QueueFailed(d.target.Endpoint.Name)
		d.logger.Error("leasing a delivery failed", zap.Error(err), zap.Duration("pause", pause))
		select {
		case <-time.After(pause):
		case <-leasing.Done():
			return
		}
		pause = min(2*pause, maxPause)
	}
}

// deliver makes one attempt and records it.
func (d *dispatcher) deliver(ctx context.Context, lease queue.DeliveryLease) {
	started := d.options.Now()
	if lease.Expired {
		d.record(lease, queue.Attempt{At: started, Error: expiredWords}, queue.Verdict{Status: queue.StatusDead})
		return
	}
	failpoint.Here("delivery.leased")
	answer := d.attempt(ctx, &lease.Event, started)
	failpoint.Here("attempt.made")
	if answer.err != nil && ctx.Err() != nil {
		// Broken off by Stop, which is no fault of the receiver's.
		d.release(lease)
		return
	}
	ended := d.options.Now()
	result := classify(answer.code, answer.err)
	attempt := queue.Attempt{
		At: started, Duration: ended.Sub(started), Code: answer.code, Response: answer.body,
		Error: describe(answer.err),
	}
	if result == failed && attempt.Error == "" {
		attempt.Error = describeCode(answer.code)
	}
	schedule := Schedule(d.target.Endpoint.Schedule)
	d.record(lease, attempt, decide(result, lease.Attempts+1, schedule, d.options.Jitter(), answer.retryAfter, ended))
}

// expiredWords stand in the attempt that ends a delivery whose event is gone.
const expiredWords = "not sent: the event's retention has passed"

// record finishes an attempt. Where the queue cannot, the lease is left to
// pass: giving it back would send the event again at once, and again, for as
// long as the queue cannot record.
func (d *dispatcher) record(lease queue.DeliveryLease, attempt queue.Attempt, verdict queue.Verdict) {
	ctx, cancel := context.WithTimeout(context.Background(), recordTimeout)
	defer cancel()
	name := d.target.Endpoint.Name
	err := d.store.FinishAttempt(ctx, lease, attempt, verdict)
	failpoint.Here("attempt.recorded")
	switch {
	case err == nil:
		d.options.Metrics.Attempted(name, verdict.Status, attempt.Duration, attempt.At.Add(attempt.Duration).Sub(lease.CreatedAt))
		d.log(lease, attempt, verdict)
	case errors.Is(err, queue.ErrLeaseLost):
		d.options.Metrics.LeaseLost(name)
		d.logger.Debug("attempt not recorded", zap.String("event", lease.EventID), zap.Error(err))
	default:
		d.options.Metrics.QueueFailed(name)
		d.logger.Error("recording an attempt failed; the delivery is attempted again",
			zap.String("event", lease.EventID), zap.Error(err))
	}
}

// release gives a delivery back without an attempt.
func (d *dispatcher) release(lease queue.DeliveryLease) {
	ctx, cancel := context.WithTimeout(context.Background(), recordTimeout)
	defer cancel()
	err := d.store.ReleaseDelivery(ctx, lease)
	if err != nil && !errors.Is(err, queue.ErrLeaseLost) && !errors.Is(err, queue.ErrClosed) {
		d.options.Metrics.QueueFailed(d.target.Endpoint.Name)
		d.logger.Error("releasing a delivery failed; it waits until its lease has passed",
			zap.String("event", lease.EventID), zap.Error(err))
	}
}

func (d *dispatcher) log(lease queue.DeliveryLease, attempt queue.Attempt, verdict queue.Verdict) {
	level, message := zap.DebugLevel, "event delivered"
	switch verdict.Status {
	case queue.StatusPending:
		level, message = zap.InfoLevel, "attempt failed"
	case queue.StatusDead:
		level, message = zap.WarnLevel, "delivery is dead: no attempt is left"
	case queue.StatusDelivered:
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
