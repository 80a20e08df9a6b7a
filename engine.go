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

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
)

// engines holds what outlives a configuration, by the queue's directory: the
// old configuration still has requests under way, and still holds the queue,
// when the new one starts. A key with more than the directory in it would let
// a changed option open the same directory twice.
var engines = caddy.NewUsagePool()

// stopPatience bounds how long stopping waits for Shows and attempts under way.
// What they were about is in the queue, so cutting them short loses nothing.
const stopPatience = 5 * time.Second

// engine is the queue and those who work on it.
type engine struct {
	dir   string
	log   *zap.Logger
	store atomic.Pointer[badger.Store]

	mu         sync.Mutex
	closed     bool
	reconciler *reconcile.Reconciler
	emitter    *emitter.Emitter
	repairs    *repairs
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
	return &engine{dir: dir, log: liveLogger("engine")}
}

// open opens the queue, at its first use by a request or at the start of its
// app, whichever comes first: Caddy starts its apps in no certain order.
func (e *engine) open(app *App) (*badger.Store, error) {
	if store := e.store.Load(); store != nil {
		return store, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if store := e.store.Load(); store != nil {
		return store, nil
	}
	if e.closed {
		return nil, queue.ErrClosed
	}
	store, err := badger.Open(badger.Options{
		Dir:        e.dir,
		Durability: app.durability(),
		Retention:  time.Duration(app.Retention),
		Logger:     liveLogger("queue"),
	})
	if err != nil {
		return nil, fmt.Errorf("opening the queue: %w", err)
	}
	e.reconciler = reconcile.New(store, reconcile.Options{Logger: liveLogger("reconcile"), Metrics: metrics})
	e.emitter = emitter.New(store, emitter.Options{Logger: liveLogger("emitter"), Metrics: metrics})
	e.repairs = newRepairs(store, liveLogger("repairs"))
	e.store.Store(store)
	return store, nil
}

// start puts an app's configuration to work.
func (e *engine) start(app *App) error {
	store, err := e.open(app)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return queue.ErrClosed
	}
	if err := e.apply(store, app); err != nil {
		return err
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
		store := e.store.Load()
		switch {
		case !last || store == nil:
		case i > 0:
			if err := e.apply(store, e.started[i-1]); err != nil {
				e.log.Error("returning to the configuration before", zap.Error(err))
			}
		default:
			e.reconciler.Apply(nil)
			if err := e.emitter.Apply(nil); err != nil {
				e.log.Error("ending deliveries", zap.Error(err))
			}
		}
		return
	}
}

// apply puts an app's configuration to work in place of the one before.
func (e *engine) apply(store *badger.Store, app *App) error {
	transport := e.transport
	if transport == nil || !e.policy.Equal(app.policy) {
		transport = app.transport
	}
	if err := e.emitter.Apply(app.targets(transport)); err != nil {
		return err
	}
	if e.transport != nil && e.transport != transport {
		e.transport.Close()
	}
	transport.Keep(app.receiverTLS())
	e.policy, e.transport = app.policy, transport
	store.SetDurability(app.durability())
	store.SetRetention(time.Duration(app.Retention))
	e.reconciler.Apply(app.reconciled())
	return nil
}

// resolve resolves an intent, and sees to it later where the queue cannot now.
func (e *engine) resolve(ctx context.Context, resource string, id queue.IntentID, resolution queue.Resolution, durable bool) {
	store := e.store.Load()
	if store == nil {
		metrics.gaps.WithLabelValues(resource, "mark").Add(float64(max(len(resolution.Marks), 1)))
		return
	}
	err := store.ResolveIntent(ctx, id, resolution, durable)
	if err == nil {
		return
	}
	e.log.Error("resolving an intent", zap.String("resource", resource), zap.Error(err))
	if errors.Is(err, queue.ErrClosed) || !e.repairs.add(repair{resource: resource, intent: id, resolution: resolution}) {
		metrics.gaps.WithLabelValues(resource, "mark").Add(float64(max(len(resolution.Marks), 1)))
	}
}

// Destruct implements caddy.Destructor: it is called when no configuration
// uses the directory any more.
func (e *engine) Destruct() error {
	e.mu.Lock()
	e.closed = true
	store := e.store.Swap(nil)
	e.mu.Unlock()
	if store == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	err := errors.Join(e.reconciler.Stop(ctx), e.repairs.stop(ctx))
	e.emitter.Stop(ctx)
	if e.transport != nil {
		e.transport.Close()
	}
	if err != nil {
		e.log.Warn("work was cut short; the next start takes it up again", zap.Error(err))
	}
	if err := store.Close(); err != nil {
		return fmt.Errorf("closing the queue in %s: %w", e.dir, err)
	}
	return nil
}

// Interface guard
var _ caddy.Destructor = (*engine)(nil)
