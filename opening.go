// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
)

// openPatience is how long an opening is waited for, from its beginning, by the
// start of a configuration and by exchanges. Opening takes seconds where
// millions of deliveries wait, and Caddy may start its listeners only after us.
// It is as long as an exchange waits for an open queue. Tests change it.
var openPatience = queue.Timeout

// errPassing is returned while the queue is not open: because of its disk, or
// because that takes long. The API goes on; what passes is kept as a gap.
var errPassing = errors.New("the queue is not open, and exchanges pass without it")

// opening is an attempt to open the queue. It goes on when nobody waits for it
// any more.
type opening struct {
	since time.Time
	done  chan struct{}
	// owned is closed when the directory is ours: from then on, what passes can
	// be kept beside the queue.
	owned chan struct{}
	// store and err are what came of it, once done is closed.
	store *badger.Store
	err   error
}

// wait waits for the queue, until ctx ends or the opening has taken too long
// for anybody to wait for it. That the directory is ours, before which nothing
// that passes survives a crash, is waited for in any case, as long as a disk is.
func (o *opening) wait(ctx context.Context, patience time.Duration) (*badger.Store, error) {
	select {
	case <-o.done:
		return o.store, o.err
	default:
	}
	ctx, cancel := context.WithDeadline(ctx, o.since.Add(patience+queue.Timeout))
	defer cancel()
	enough := time.NewTimer(time.Until(o.since.Add(patience)))
	defer enough.Stop()
	owned := (<-chan struct{})(nil) // not looked at before it has been enough
	for {
		select {
		case <-o.done:
			return o.store, o.err
		case <-enough.C:
			owned = o.owned
		case <-owned:
			return nil, errPassing
		case <-ctx.Done():
			return nil, errPassing
		}
	}
}

// open opens the queue, at its first use by a request or at the start of its
// app, whichever comes first: Caddy starts its apps in no certain order. Where
// the disk does not let it be opened, or not soon, the error is errPassing.
func (e *engine) open(ctx context.Context, app *App) (*badger.Store, error) {
	for {
		if store := e.store.Load(); store != nil {
			return store, nil
		}
		if e.trouble.Load() != nil {
			return nil, errPassing
		}
		if o := e.opening.Load(); o != nil {
			return o.wait(ctx, e.openPatience)
		}
		if err := e.openFirst(app); err != nil {
			return nil, err
		}
	}
}

// openFirst begins to open the queue as an app says, if nobody has before.
func (e *engine) openFirst(app *App) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return queue.ErrClosed
	}
	if e.undecided() && e.opening.Load() == nil {
		options := app.queueOptions()
		options.Owned = func() {
			e.gaps.adopt()
			e.openInterim(options.Durability)
			e.loadKeyring(app)
			close(e.opening.Load().owned)
		}
		e.beginOpening(options)
	}
	return nil
}

// undecided tells whether nobody knows yet if the queue can be opened.
func (e *engine) undecided() bool {
	return e.session == nil && e.trouble.Load() == nil
}

// beginOpening begins to open the queue. Nobody else may be about to.
func (e *engine) beginOpening(options badger.Options) *opening {
	o := &opening{since: time.Now(), done: make(chan struct{}), owned: make(chan struct{})}
	e.options = options
	e.opening.Store(o)
	go func() {
		defer close(o.done)
		// Without the lock: this may take long.
		store, err := badger.Open(options)
		if err == nil {
			e.drain(store)
		}
		if o.store, o.err = e.finishOpening(store, err); o.store == nil && store != nil {
			// The engine ended meanwhile, and nobody waits any more.
			if err := store.Close(); err != nil {
				e.log.Error("closing the queue", zap.Error(err))
			}
		}
	}()
	return o
}

// finishOpening puts an open queue to use, or notes why there is none.
func (e *engine) finishOpening(store *badger.Store, err error) (*badger.Store, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer e.opening.Store(nil)
	if e.closed {
		return nil, queue.ErrClosed
	}
	if queue.Misconfigured(err) {
		err = fmt.Errorf("opening the queue: %w", err)
		if len(e.started) == 0 {
			// Whoever starts is told, and does not.
			return nil, err
		}
	} else {
		e.gaps.adopt()
	}
	if e.watch == nil {
		e.watch = newWatch(e)
	}
	if err != nil {
		e.fail(err)
		store, err = nil, errPassing
	} else {
		e.use(store)
	}
	// A configuration that has started meanwhile did so without the queue.
	if last := len(e.started) - 1; last >= 0 {
		e.loadKeyring(e.started[last])
		e.takeUp()
	}
	return store, err
}

// use puts an open queue to use.
func (e *engine) use(store *badger.Store) {
	e.session = newSession(store)
	e.sightings.Store(e.session.sightings)
	e.operations.Store(e.session.operations)
	before := e.trouble.Swap(nil)
	e.store.Store(store)
	if before != nil {
		e.log.Info("the queue is open again", zap.Duration("after", time.Since(before.since)))
	} else if took := time.Since(e.opening.Load().since); took > e.openPatience {
		e.log.Info("the queue is open", zap.Duration("after", took))
	}
}

// takeUp puts the last configuration to work: the queue has been opened since it
// started, or the one after it is gone. What fails is tried again by watch.
func (e *engine) takeUp() {
	e.idle = nil
	last := len(e.started) - 1
	if e.session == nil || last < 0 {
		return
	}
	if e.idle = e.apply(e.started[last]); e.idle != nil {
		e.log.Error("the configuration cannot be put to work on the queue", zap.Error(e.idle))
	}
}

// fail notes why the queue is not open.
func (e *engine) fail(err error) {
	before := e.trouble.Swap(&trouble{err: err, since: time.Now()})
	if before == nil || before.err.Error() != err.Error() {
		e.log.Error("the queue is not open: the API goes on, changes are not told of until it is", zap.Error(err))
	}
}
