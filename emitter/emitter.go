// SPDX-License-Identifier: Apache-2.0

// Package emitter delivers events: it leases deliveries from the queue,
// attempts each with a signed POST, and records what the receiver answered.
//
// Each endpoint has a dispatcher of its own, which shares nothing with the
// others but the queue, the transport and a bound on memory: an endpoint that
// hangs holds its own attempts and nobody else's. Order within a lane is the
// queue's doing; any number of emitters may work on one queue.
//
// What to do is decided by values without any I/O: what an answer means in
// verdict.go, when to try again in schedule.go, how much a receiver gets in
// breaker.go, what an endpoint's failures come to in health.go.
package emitter

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/hop"
	"github.com/caddy-webhooks/caddy-webhooks/internal/patience"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// DefaultUserAgent is what receivers see where no other is set.
const DefaultUserAgent = "caddy-webhooks"

// Options holds what an Emitter gets from outside. The zero value works.
type Options struct {
	// Logger gets attempts: delivered ones at debug, failed ones at info, dead
	// deliveries at warn. Default: none.
	Logger *zap.Logger
	// Now tells the time. Default: [time.Now].
	Now func() time.Time
	// Jitter returns numbers in [0, 1) that spread retries. Many goroutines
	// call it. Default: [rand.Float64].
	Jitter func() float64
	// Metrics is told of every attempt. Default: [NopMetrics].
	Metrics Metrics
	// Tracer makes attempts part of a trace. Default: [NopTracer].
	Tracer Tracer
	// UserAgent is the User-Agent header. Default: [DefaultUserAgent].
	UserAgent string
	// States keeps which endpoints are paused or disabled, and since when they
	// have been failing. Default: nowhere; a restart forgets it.
	States queue.EndpointStates
	// Notify is told what an operator wants to know. It is called by the
	// goroutine of an attempt, and holds up its endpoint until it returns.
	// Default: nobody.
	Notify func(Notice)
	// Hops signs the hops of deliveries, so that loops are found. Default: a
	// key that nobody else has.
	Hops hop.Key
	// Memory is how many bytes of payloads may be in flight at once, over all
	// endpoints. Default: [DefaultMemory].
	Memory int64
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	if o.Metrics == nil {
		o.Metrics = NopMetrics{}
	}
	if o.Tracer == nil {
		o.Tracer = NopTracer{}
	}
	if o.UserAgent == "" {
		o.UserAgent = DefaultUserAgent
	}
	if o.Notify == nil {
		o.Notify = func(Notice) {}
	}
	if o.Memory <= 0 {
		o.Memory = DefaultMemory
	}
	return o
}

// Emitter delivers to the targets that were applied last.
type Emitter struct {
	store   queue.Deliveries
	options Options
	gate    *gate

	mu      sync.Mutex
	stopped bool
	// active holds the dispatchers of the current targets, by endpoint.
	active map[string]*dispatcher
	// running holds all that have not ended: the active ones, and those that
	// only wait for their last attempts.
	running map[*dispatcher]struct{}
	ended   sync.WaitGroup
	// standings has what is known of endpoints. One that is no longer applied
	// keeps its own, as it may come back with the next configuration.
	standings map[string]*standing
	// restored is true once the states are read that an earlier process kept.
	restored bool
}

// New returns an emitter without targets. It starts nothing.
func New(store queue.Deliveries, options Options) *Emitter {
	options = options.withDefaults()
	return &Emitter{
		store: store, options: options, gate: newGate(options.Memory),
		active: map[string]*dispatcher{}, running: map[*dispatcher]struct{}{}, standings: map[string]*standing{},
	}
}

// Apply replaces the targets. A target that is the same as before goes on
// undisturbed. Of one that is gone or has changed, attempts in flight end as
// they would have, under the old settings, and what a changed one has pending
// goes on under the new ones. The deliveries of endpoints that are gone stay in
// the queue.
//
// It fails without an effect if a target is not valid or two have one name,
// with [ErrStopped] after Stop, and if the states of endpoints cannot be read:
// one that somebody has paused must not get anything. Where the queue does not
// take an order, those of other targets may have changed.
func (e *Emitter) Apply(targets []Target) error {
	checked := make([]Target, 0, len(targets))
	urls := make([]*url.URL, 0, len(targets))
	seen := make(map[string]bool, len(targets))
	for _, target := range targets {
		target, u, err := target.check()
		if err != nil {
			return err
		}
		if seen[target.Endpoint.Name] {
			return fmt.Errorf("%w: two endpoints are named %s", ErrBadTarget, target.Endpoint.Name)
		}
		seen[target.Endpoint.Name] = true
		checked, urls = append(checked, target), append(urls, u)
	}

	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped {
		return ErrStopped
	}
	if err := e.restore(); err != nil {
		return err
	}
	if err := e.setOrders(checked); err != nil {
		return err
	}
	next := make(map[string]*dispatcher, len(checked))
	for i, target := range checked {
		name := target.Endpoint.Name
		if old, ok := e.active[name]; ok && target.same(old.target) {
			next[name] = old
			continue
		}
		standing := e.standing(name)
		standing.configure(target)
		next[name] = newDispatcher(e, target, urls[i], standing)
	}
	for name, old := range e.active {
		if next[name] != old {
			old.retire()
		}
	}
	for _, d := range next {
		if _, ok := e.running[d]; !ok {
			e.start(d)
		}
	}
	e.active = next
	return nil
}

// setOrders sets which deliveries of targets wait for each other, before any is
// leased.
func (e *Emitter) setOrders(targets []Target) error {
	ctx, cancel := context.WithTimeout(context.Background(), recordTimeout)
	defer cancel()
	for i := range targets {
		name, order := targets[i].Endpoint.Name, orders[targets[i].Endpoint.Order]
		if err := e.store.SetOrder(ctx, name, order); err != nil {
			return fmt.Errorf("setting which deliveries to %s wait for each other: %w", name, err)
		}
	}
	return nil
}

// start runs a dispatcher. The caller holds the lock.
func (e *Emitter) start(d *dispatcher) {
	e.running[d] = struct{}{}
	leasing, retire := context.WithCancel(context.Background())
	attempting, abort := context.WithCancel(context.Background())
	recording, recorded := context.WithCancel(context.Background())
	d.retire, d.abort = retire, abort
	d.patience = patience.New(recording, recordTimeout)
	e.ended.Go(func() {
		defer recorded()
		defer abort()
		defer retire()
		d.run(leasing, attempting)
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.running, d)
	})
}

// Stop ends all work: nothing more is leased, attempts in flight have until
// the context is done, and then are broken off and their deliveries released
// for another emitter. It returns when everything has ended, which is at most
// a few seconds later, however slow the queue. It may be called more than once,
// and without Apply.
func (e *Emitter) Stop(ctx context.Context) {
	e.mu.Lock()
	e.stopped = true
	e.active = nil
	running := slices.Collect(maps.Keys(e.running))
	e.mu.Unlock()

	for _, d := range running {
		d.retire()
	}
	ended := make(chan struct{})
	go func() {
		e.ended.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		for _, d := range running {
			d.abort()
		}
		<-ended
	}
}
