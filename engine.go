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
	"golang.org/x/sync/singleflight"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
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

// errPassing is returned while the queue is not open because of its disk. The
// API goes on; what passes is kept as a gap.
var errPassing = errors.New("the queue is not open, and exchanges pass without it")

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
	// retentionSize is how much history there may be, in bytes; 0 for no
	// bound.
	retentionSize atomic.Uint64
	// retention is how long history is kept, and lag the longest of all
	// resources, in nanoseconds.
	retention, lag atomic.Int64
	expiring       *expiring

	// opening is what those wait for who come before the queue is open.
	opening singleflight.Group

	mu      sync.Mutex
	closed  bool
	session *session
	// options are those that the queue was opened with last.
	options badger.Options
	watch   *watch
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
	return &engine{dir: dir, log: sparing(liveLogger("engine")), gaps: newGaps(dir, liveLogger("gaps")), expiring: newExpiring(liveLogger("expiring"))}
}

// open opens the queue, at its first use by a request or at the start of its
// app, whichever comes first: Caddy starts its apps in no certain order. Where
// the disk does not let it be opened, or not before ctx ends, the error is
// errPassing: opening takes seconds where millions of deliveries wait.
func (e *engine) open(ctx context.Context, app *App) (*badger.Store, error) {
	if store := e.store.Load(); store != nil {
		return store, nil
	}
	if e.trouble.Load() != nil {
		return nil, errPassing
	}
	opened := e.opening.DoChan("", func() (any, error) { return e.openFirst(app) })
	select {
	case got := <-opened:
		store, _ := got.Val.(*badger.Store)
		return store, got.Err
	case <-ctx.Done():
		return nil, errPassing
	}
}

func (e *engine) openFirst(app *App) (*badger.Store, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if store := e.store.Load(); store != nil {
		return store, nil
	}
	if e.closed {
		return nil, queue.ErrClosed
	}
	if e.trouble.Load() != nil {
		return nil, errPassing
	}
	return e.openLocked(app.queueOptions())
}

// openLocked opens the queue, or notes why it cannot be opened.
func (e *engine) openLocked(options badger.Options) (*badger.Store, error) {
	e.options = options
	store, err := badger.Open(options)
	if badger.Misconfigured(err) {
		return nil, fmt.Errorf("opening the queue: %w", err)
	}
	e.gaps.adopt()
	if e.watch == nil {
		e.watch = newWatch(e)
	}
	if err != nil {
		e.fail(err)
		return nil, errPassing
	}
	e.session = newSession(store)
	e.sightings.Store(e.session.sightings)
	e.operations.Store(e.session.operations)
	e.trouble.Store(nil)
	e.store.Store(store)
	if store.Lost() > 0 || store.WasRestored() {
		// What happened since is looked at.
		e.gaps.whole(allResources)
		if err := store.ForgetRestored(); err != nil {
			e.log.Error("noting that the queue was restored", zap.Error(err))
		}
	}
	return store, nil
}

// fail notes why the queue is not open.
func (e *engine) fail(err error) {
	before := e.trouble.Swap(&trouble{err: err, since: time.Now()})
	if before == nil || before.err.Error() != err.Error() {
		e.log.Error("the queue is not open: the API goes on, changes are not told of until it is", zap.Error(err))
	}
}

// start puts an app's configuration to work.
func (e *engine) start(app *App) error {
	if _, err := e.open(context.Background(), app); err != nil && !errors.Is(err, errPassing) {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return queue.ErrClosed
	}
	e.loadKeyring(app)
	if e.session != nil {
		if err := e.apply(app); err != nil {
			return err
		}
	}
	e.started = append(e.started, app)
	return nil
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
			if err := e.apply(e.started[i-1]); err != nil {
				e.log.Error("returning to the configuration before", zap.Error(err))
			}
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
	e.session.store.SetDurability(app.durability())
	e.keep(app)
	e.session.reconciler.Apply(app.plan())
	return nil
}

// keep has history kept as an app says.
func (e *engine) keep(app *App) {
	e.session.store.SetRetention(time.Duration(app.Retention))
	e.retention.Store(int64(app.Retention))
	e.retentionSize.Store(app.RetentionSize)
	e.lag.Store(int64(app.lag()))
}

// Destruct implements caddy.Destructor: it is called when no configuration
// uses the directory any more.
func (e *engine) Destruct() error {
	e.mu.Lock()
	e.closed = true
	watch := e.watch
	e.mu.Unlock()
	// Whoever may open and close the queue by itself ends first.
	if watch != nil {
		watch.stop()
	}
	e.mu.Lock()
	session := e.session
	e.session = nil
	e.store.Store(nil)
	e.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	var err error
	if session != nil {
		err = session.stop(ctx, e.log)
	}
	if e.transport != nil {
		e.transport.Close()
	}
	e.gaps.close()
	if err != nil {
		return fmt.Errorf("closing the queue in %s: %w", e.dir, err)
	}
	return nil
}

// Interface guard
var _ caddy.Destructor = (*engine)(nil)
