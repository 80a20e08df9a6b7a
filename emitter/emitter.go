// SPDX-License-Identifier: Apache-2.0

// Package emitter delivers events: it leases deliveries from the queue,
// attempts each with a signed POST, and records the receiver's answer.
//
// Each endpoint has a dispatcher of its own, which shares nothing with the
// others but the queue, the transport and a limit on memory: an endpoint that
// hangs holds up its own attempts and nobody else's. The queue keeps the order
// within a lane; any number of emitters may work on one queue.
//
// Decisions are made by pure values without any I/O: what an answer means in
// verdict.go, the delay before a retry in schedule.go, how many attempts a receiver gets
// in breaker.go, when an endpoint counts as failing in health.go.
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
	"github.com/caddy-webhooks/caddy-webhooks/internal/deadline"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// DefaultUserAgent is the User-Agent header if no other is set.
const DefaultUserAgent = "caddy-webhooks"

// Options holds an Emitter's dependencies. The zero value works.
type Options struct {
	// Logger gets attempts: delivered ones at debug, failed ones at info, dead
	// deliveries at warn. Default: none.
	Logger *zap.Logger
	// Now is the clock. Default: [time.Now].
	Now func() time.Time
	// Jitter returns numbers in [0, 1) that spread retries. It must be safe for
	// concurrent use. Default: [rand.Float64].
	Jitter func() float64
	// Metrics counts every attempt. Default: [NopMetrics].
	Metrics Metrics
	// Tracer makes attempts part of a trace. Default: [NopTracer].
	Tracer Tracer
	// UserAgent is the User-Agent header. Default: [DefaultUserAgent].
	UserAgent string
	// States stores which endpoints are paused or disabled, and since when they
	// have been failing. Default: nowhere; a restart forgets it.
	States States
	// Notify receives what an operator wants to know. The goroutine of an
	// attempt calls it, and it holds up its endpoint until it returns. Default:
	// none.
	Notify func(Notice)
	// Hops signs the hops of deliveries, so that loops are detected. Default: a
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
	// running holds all dispatchers that have not ended: the active ones, and
	// those that only wait for their last attempts.
	running map[*dispatcher]struct{}
	ended   sync.WaitGroup
	// standings holds what is known of endpoints. An endpoint that is no longer
	// applied keeps its standing, as it may come back with the next
	// configuration.
	standings map[string]*standing
	// restored is true once the states that an earlier process stored have been
	// read.
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

// Apply replaces the targets. A target that is the same as before continues
// undisturbed. If a target is gone or has changed, attempts in flight end
// normally under the old settings; pending deliveries of a changed target
// continue under the new ones. The deliveries of endpoints that are gone stay
// in the queue.
//
// It fails without an effect if a target is not valid or two have the same
// name, with [ErrStopped] after Stop, and if the states of endpoints cannot be
// read: an endpoint that somebody paused must not get anything. If the queue does not
// take an order, the orders of other targets may have changed.
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
		old, known := e.active[name]
		if known && target.same(old.target) {
			next[name] = old
			continue
		}
		standing := e.standing(name)
		standing.configure(target)
		if known {
			standing.changed()
		}
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
	d.deadlines = deadline.New(recording, recordTimeout)
	d.plan()
	e.ended.Go(func() {
		defer recorded()
		defer abort()
		defer retire()
		defer d.tender.end()
		d.run(leasing, attempting)
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.running, d)
	})
}

// Stop ends all work. Nothing more is leased. Attempts in flight may continue
// until the context is done; then they are cancelled, and their deliveries
// released for another emitter. Stop returns when everything has ended, at most
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
