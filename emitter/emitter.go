// SPDX-License-Identifier: Apache-2.0

// Package emitter delivers events: it leases deliveries from the queue,
// attempts each with a signed POST, and records what the receiver answered.
//
// Each endpoint has a dispatcher of its own, which shares nothing with the
// others but the queue and the transport: an endpoint that hangs holds its own
// attempts and nobody else's. Order within a lane is the queue's doing; any
// number of emitters may work on one queue.
package emitter

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

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
	// UserAgent is the User-Agent header. Default: [DefaultUserAgent].
	UserAgent string
}

// Emitter delivers to the targets that were applied last.
type Emitter struct {
	store   queue.Deliveries
	options Options

	mu      sync.Mutex
	stopped bool
	// active holds the dispatchers of the current targets, by endpoint.
	active map[string]*dispatcher
	// running holds all that have not ended: the active ones, and those that
	// only wait for their last attempts.
	running map[*dispatcher]struct{}
	ended   sync.WaitGroup
}

// New returns an emitter without targets. It starts nothing.
func New(store queue.Deliveries, options Options) *Emitter {
	if options.Logger == nil {
		options.Logger = zap.NewNop()
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Jitter == nil {
		options.Jitter = rand.Float64
	}
	if options.Metrics == nil {
		options.Metrics = NopMetrics{}
	}
	if options.UserAgent == "" {
		options.UserAgent = DefaultUserAgent
	}
	return &Emitter{
		store: store, options: options,
		active: map[string]*dispatcher{}, running: map[*dispatcher]struct{}{},
	}
}

// Apply replaces the targets. A target that is the same as before goes on
// undisturbed. Of one that is gone or has changed, attempts in flight end as
// they would have, under the old settings, and what a changed one has pending
// goes on under the new ones. The deliveries of endpoints that are gone stay in
// the queue.
//
// It fails without an effect if a target is not valid or two have one name,
// and with [ErrStopped] after Stop.
func (e *Emitter) Apply(targets []Target) error {
	next := make(map[string]*dispatcher, len(targets))
	for _, target := range targets {
		target, u, err := target.check()
		if err != nil {
			return err
		}
		if _, ok := next[target.Endpoint.Name]; ok {
			return fmt.Errorf("%w: two endpoints are named %s", ErrBadTarget, target.Endpoint.Name)
		}
		next[target.Endpoint.Name] = newDispatcher(e.store, e.options, target, u)
	}

	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped {
		return ErrStopped
	}
	for name, old := range e.active {
		if fresh, ok := next[name]; ok && fresh.target.same(old.target) {
			next[name] = old
		} else {
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

// start runs a dispatcher. The caller holds the lock.
func (e *Emitter) start(d *dispatcher) {
	e.running[d] = struct{}{}
	leasing, retire := context.WithCancel(context.Background())
	attempting, abort := context.WithCancel(context.Background())
	d.retire, d.abort = retire, abort
	e.ended.Go(func() {
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
