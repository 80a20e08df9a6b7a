// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
	"github.com/caddy-webhooks/caddy-webhooks/queue/journal"
	"github.com/caddy-webhooks/caddy-webhooks/seal"
)

// engines holds what outlives a configuration, by the queue's directory: the
// old configuration still has requests under way, and still holds the queue,
// when the new one starts. A key with more than the directory in it would let
// a changed option open the same directory twice.
var engines = caddy.NewUsagePool()

// stopPatience bounds how long stopping waits for Shows and attempts under way.
// What they were about is in the queue, so cutting them short loses nothing.
const stopPatience = 5 * time.Second

// closeLimit bounds how long the end of a queue holds up a reload or an exit.
const closeLimit = 3 * stopPatience

// engine is the queue and those who work on it. Where the queue cannot be
// open, because its disk is full or its files are damaged, the engine lives
// without it, and opens it when it can.
type engine struct {
	dir string
	log *zap.Logger
	// store is the queue while it is open, and trouble why it is not. Both are
	// nil before the first use.
	store   atomic.Pointer[badger.Store]
	trouble atomic.Pointer[trouble]
	// operations works on deliveries, see working.
	operations atomic.Pointer[operations]
	// keyring seals what only this queue may read; nil until an app has
	// started, or where there is no key.
	keyring atomic.Pointer[seal.Keyring]
	// sightings compares Shows that passed while the queue is open.
	sightings atomic.Pointer[sightings]
	gaps      *gaps
	// interim keeps intents while the queue is being opened; nil until the
	// directory is ours.
	interim atomic.Pointer[journal.Journal]
	// retentionSize is how much history there may be, in bytes; 0 for no
	// bound.
	retentionSize atomic.Uint64
	// retention is how long history is kept, and lag the longest of all
	// resources, in nanoseconds.
	retention, lag atomic.Int64
	expiring       *expiring

	// opening is the attempt to open the queue that is under way, and
	// openPatience how long it is waited for.
	opening      atomic.Pointer[opening]
	openPatience time.Duration

	mu      sync.Mutex
	closed  bool
	session *session
	// options are those that the queue was opened with last.
	options badger.Options
	watch   *watch
	// idle is why the last configuration is not at work on the open queue.
	idle error
	// started holds the apps that have started and not stopped, oldest first.
	// The last one's configuration is at work: when a new configuration fails
	// to start, the one before takes over again.
	started []*App
	// policy and transport lead to the receivers. Configurations with the same
	// policy share a transport and its connections, and the endpoints that
	// they share go on undisturbed.
	policy    egress.Policy
	transport *egress.Transport
}

// newEngine returns the engine of a directory. It touches nothing on disk:
// configurations are provisioned to be validated, too, while another process
// holds the directory.
func newEngine(dir string) *engine {
	return &engine{
		dir: dir, log: sparing(liveLogger("engine")), openPatience: openPatience,
		gaps: newGaps(dir, liveLogger("gaps")), expiring: newExpiring(liveLogger("expiring")),
	}
}

// start puts an app's configuration to work, or has that done when the queue is
// open.
func (e *engine) start(app *App) error {
	for {
		if _, err := e.open(context.Background(), app); err != nil && !errors.Is(err, errPassing) {
			return err
		}
		if joined, err := e.join(app); joined || err != nil {
			return err
		}
		// The opening has failed just now, and trying again tells why.
	}
}

// join adds an app to those that have started.
func (e *engine) join(app *App) (joined bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return false, queue.ErrClosed
	}
	if e.undecided() {
		if e.opening.Load() == nil {
			return false, nil
		}
		// Whoever opens the queue applies it.
		e.log.Warn("the queue takes long to open: the API is served, and what passes is kept beside it until it is open")
		e.started = append(e.started, app)
		return true, nil
	}
	e.loadKeyring(app)
	if e.session != nil {
		if err := e.apply(app); err != nil {
			return false, err
		}
		e.idle = nil
	}
	e.started = append(e.started, app)
	return true, nil
}

// stop takes an app's configuration from work. It is idempotent, and does
// nothing for an app that has not started.
func (e *engine) stop(app *App) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, other := range e.started {
		if other != app {
			continue
		}
		last := i == len(e.started)-1
		e.started = append(e.started[:i:i], e.started[i+1:]...)
		switch {
		case !last || e.session == nil:
		case i > 0:
			e.takeUp()
		default:
			e.session.rest(e.log)
		}
		return
	}
}

// apply puts an app's configuration to work in place of the one before.
func (e *engine) apply(app *App) error {
	transport := e.transport
	if transport == nil || !e.policy.Equal(app.policy) {
		transport = app.transport
	}
	if err := e.session.operations.apply(app, app.targets(transport)); err != nil {
		return err
	}
	if e.transport != nil && e.transport != transport {
		e.transport.Close()
	}
	transport.Keep(app.receiverTLS())
	e.policy, e.transport = app.policy, transport
	e.options = app.queueOptions()
	e.keep(app)
	e.session.reconciler.Apply(app.plan())
	return nil
}

// keep has history kept as an app says.
func (e *engine) keep(app *App) {
	e.session.store.Configure(queue.Settings{Durability: app.durability(), Retention: time.Duration(app.Retention)})
	e.retention.Store(int64(app.Retention))
	e.retentionSize.Store(app.RetentionSize)
	e.lag.Store(int64(app.lag()))
}

// Destruct implements caddy.Destructor: it is called when no configuration
// uses the directory any more. What a disk that hangs keeps from being closed
// goes on behind it.
func (e *engine) Destruct() error {
	ended := make(chan error, 1)
	go func() { ended <- e.end() }()
	patience := time.NewTimer(closeLimit)
	defer patience.Stop()
	select {
	case err := <-ended:
		return err
	case <-patience.C:
		return fmt.Errorf("closing the queue in %s: its disk has not answered for %s", e.dir, closeLimit)
	}
}

// end ends all work and closes the queue.
func (e *engine) end() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	e.mu.Lock()
	e.closed = true
	watch, opening := e.watch, e.opening.Load()
	e.mu.Unlock()
	// Whoever may open and close the queue by itself ends first.
	if watch != nil {
		watch.stop()
	}
	if opening != nil {
		select {
		case <-opening.done:
		case <-ctx.Done():
			e.log.Warn("the queue is still being opened; it is closed when it is open")
		}
	}
	e.mu.Lock()
	session := e.session
	e.session = nil
	e.store.Store(nil)
	e.mu.Unlock()
	var err error
	if session != nil {
		err = session.stop(ctx, e.log)
	}
	if e.transport != nil {
		e.transport.Close()
	}
	e.gaps.close()
	if interim := e.interim.Load(); interim != nil {
		err = errors.Join(err, interim.Close())
	}
	if err != nil {
		return fmt.Errorf("closing the queue in %s: %w", e.dir, err)
	}
	return nil
}

// Interface guard
var _ caddy.Destructor = (*engine)(nil)
