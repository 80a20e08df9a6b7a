// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/internal/deadline"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

const (
	// leaseMargin is how much longer than an attempt a lease is: time to look
	// up the receiver, and for a busy queue to record the attempt.
	leaseMargin = 30 * time.Second
	// recordTimeout limits a call to a queue that hangs.
	recordTimeout = 5 * time.Second
	// idleReservation is how long memory is kept for a delivery that was due
	// and may no longer be.
	idleReservation = time.Second
)

// dispatcher delivers to one target. Everything that its attempts have in
// common is made once.
type dispatcher struct {
	emitter *Emitter
	store   queue.Deliveries
	options Options
	target  Target
	url     *url.URL // nil if requests name the receivers
	// template is the common part of all requests.
	template *http.Request
	logger   *zap.Logger
	standing *standing
	limits   limits
	leasing  queue.LeaseOptions

	// jobs passes deliveries to idle workers.
	jobs chan *job

	// reserved is the memory taken for the next delivery, and wanted the memory
	// for a delivery that was not admitted. Only run uses them.
	reserved claim
	wanted   claim

	// settings is the checksum of the target's with its own format, and signers the keys
	// that sign: what is kept of each request.
	settings uint16
	signers  sign.Signers

	// hops is the hop header of this second's deliveries: it is the same for
	// all events without a chain.
	hops atomic.Pointer[hopHeader]

	tender tender

	// deadlines limits calls to the queue.
	deadlines *deadline.Pool

	// retire ends leasing, abort cancels attempts. Both are set at the start
	// and may be called more than once.
	retire, abort context.CancelFunc
}

func newDispatcher(e *Emitter, target Target, u *url.URL, s *standing) *dispatcher {
	d := &dispatcher{
		emitter: e, store: e.store, options: e.options, target: target, url: u,
		logger:   e.options.Logger.With(zap.String("endpoint", target.Endpoint.Name)),
		standing: s, limits: target.limits(e.gate.share()), jobs: make(chan *job),
		settings: target.Endpoint.Settings(target.Endpoint.Payload), signers: sign.SignersOf(target.Endpoint.Signatures, target.Endpoint.Secrets),
	}
	if u != nil {
		d.template = newTemplate(u)
		d.logger = d.logger.With(zap.String("receiver", u.Scheme+"://"+u.Host))
	}
	d.leasing = queue.LeaseOptions{
		For: target.Endpoint.Timeout + leaseMargin, Coalesce: target.Endpoint.Coalesce, Admit: d.admit,
	}
	return d
}

// hopHeader is a hop header that is valid for a second.
type hopHeader struct {
	unix   int64
	header string
}

// hop returns the hop header of a delivery.
func (d *dispatcher) hop(chain string, to *destination, at time.Time) string {
	if d.target.Resolve != nil {
		return d.options.Hops.Sign(chain, d.target.Endpoint.Name, to.receiver, at)
	}
	if chain != "" {
		return d.options.Hops.Sign(chain, d.target.Endpoint.Name, "", at)
	}
	if last := d.hops.Load(); last != nil && last.unix == at.Unix() {
		return last.header
	}
	header := d.options.Hops.Sign("", d.target.Endpoint.Name, "", at)
	d.hops.Store(&hopHeader{at.Unix(), header})
	return header
}

var orders = map[endpoint.Order]queue.Order{
	endpoint.OrderObject: queue.OrderObject, endpoint.OrderEndpoint: queue.OrderEndpoint, endpoint.OrderNone: queue.OrderNone,
}

// run leases deliveries and starts their attempts until leasing is done, and
// returns when the last attempt has ended. A delivery is leased only when its
// attempt may begin, so that its lease time covers nothing else.
func (d *dispatcher) run(leasing, attempting context.Context) {
	var inFlight sync.WaitGroup
	defer inFlight.Wait()
	// Another dispatcher of the endpoint may wait for a signal that this one
	// has received.
	defer d.standing.signal()
	defer d.giveBack()
	for d.ready(leasing) {
		lease, err := d.lease(leasing)
		switch {
		case err == nil && leasing.Err() != nil:
			// The lease came while leasing ended.
			d.release(lease)
			return
		case err == nil:
			d.begin(leasing, attempting, &inFlight, lease)
		case leasing.Err() != nil, errors.Is(err, queue.ErrClosed):
			return
		case errors.Is(err, queue.ErrNotAdmitted):
			if !d.reserve(leasing) {
				return
			}
		case errors.Is(err, context.DeadlineExceeded):
			// No delivery is due for the reserved memory.
			d.giveBack()
		default:
			d.queueFailed("leasing a delivery failed", err)
		}
	}
}

// ready waits until an attempt may begin. It returns false when leasing is
// done.
func (d *dispatcher) ready(leasing context.Context) bool {
	for leasing.Err() == nil {
		wait := d.standing.ready(d.limits, d.options.Now())
		if wait == 0 {
			return true
		}
		if wait == forever {
			d.giveBack()
			select {
			case <-d.standing.wake:
			case <-leasing.Done():
			}
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-d.standing.wake:
		case <-timer.C:
		case <-leasing.Done():
		}
		timer.Stop()
	}
	return false
}

// lease leases the next delivery that is due. With memory reserved, it waits
// only briefly.
func (d *dispatcher) lease(leasing context.Context) (queue.DeliveryLease, error) {
	if d.reserved.size > 0 {
		var cancel context.CancelFunc
		leasing, cancel = context.WithTimeout(leasing, idleReservation)
		defer cancel()
	}
	return d.store.LeaseDelivery(leasing, d.target.Endpoint.Name, d.leasing)
}

// claim is memory taken for a delivery.
type claim struct {
	size int64
	of   class
}

// admit takes the memory for a payload, if there is enough.
func (d *dispatcher) admit(size int64) bool {
	// The size is the record's, with the previous Show. The delivery's format
	// and content type are not known yet.
	of := d.standing.class(d.limits)
	d.wanted = claim{d.emitter.gate.weigh(size+d.target.Endpoint.Payload.Copied(size, "json"), d.overhead(of)), of}
	if d.reserved.of == of && d.reserved.size >= d.wanted.size {
		return true
	}
	d.giveBack()
	if !d.emitter.gate.try(d.wanted.size, of) {
		return false
	}
	d.reserved = d.wanted
	return true
}

// overhead returns what an attempt needs besides its payload.
func (d *dispatcher) overhead(of class) int64 {
	if of == proven && d.target.Resolve == nil {
		return overheadKept
	}
	return overhead
}

// reserve waits for the memory of a payload that was not admitted. It returns
// false when leasing is done.
func (d *dispatcher) reserve(leasing context.Context) bool {
	if d.emitter.gate.wait(leasing, d.wanted.size, d.wanted.of) != nil {
		return false
	}
	d.reserved = d.wanted
	return true
}

// giveBack frees the memory that no delivery was leased for.
func (d *dispatcher) giveBack() {
	if d.reserved.size > 0 {
		d.emitter.gate.free(d.reserved.size, d.reserved.of)
		d.reserved = claim{}
	}
}

// charge returns the memory that a leased delivery holds, taken from the
// reservation.
func (d *dispatcher) charge(lease *queue.DeliveryLease) claim {
	held := claim{d.emitter.gate.weigh(d.footprint(lease), d.overhead(d.reserved.of)), d.reserved.of}
	switch {
	case d.reserved.size < held.size:
		d.emitter.gate.take(held.size-d.reserved.size, held.of)
	case d.reserved.size > held.size:
		d.emitter.gate.free(d.reserved.size-held.size, held.of)
	}
	d.reserved = claim{}
	d.standing.hold(held.size)
	return held
}

// footprint returns how much memory a delivery's content takes: the event
// itself, and what is rendered from it.
func (d *dispatcher) footprint(lease *queue.DeliveryLease) int64 {
	size := int64(len(lease.Event.Payload) + len(lease.Event.PreviousShow))
	return size + d.format(lease.Format).Copied(size, lease.Event.ContentType)
}

// release returns a delivery to the queue without an attempt.
func (d *dispatcher) release(lease queue.DeliveryLease) {
	d.returned(lease, d.store.ReleaseDelivery(d.deadlines.Context(), lease))
}

// postpone returns a delivery to the queue without an attempt, to be due later.
func (d *dispatcher) postpone(lease queue.DeliveryLease, wait time.Duration) {
	d.returned(lease, d.store.PostponeDelivery(d.deadlines.Context(), lease, d.options.Now().Add(wait)))
}

func (d *dispatcher) returned(lease queue.DeliveryLease, err error) {
	if err != nil && !errors.Is(err, queue.ErrLeaseLost) && !errors.Is(err, queue.ErrClosed) {
		d.options.Metrics.QueueFailed(d.target.Endpoint.Name)
		d.logger.Error("returning a delivery failed; it waits until its lease expires",
			zap.String("event", lease.EventID), zap.Error(err))
	}
}

// queueFailed pauses the use of the queue and reports the failure.
func (d *dispatcher) queueFailed(what string, err error) {
	d.standing.mu.Lock()
	pause := d.standing.falter(d.options.Now())
	d.standing.mu.Unlock()
	d.options.Metrics.QueueFailed(d.target.Endpoint.Name)
	d.logger.Error(what, zap.Error(err), zap.Duration("pause", pause))
}
