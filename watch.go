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

// How often the disk is looked at. A disk that another program fills is full
// of a sudden; and what Badger writes until it is closed has to fit in.
const (
	watchEvery = 100 * time.Millisecond
	// retryEvery is how often a queue that cannot be opened is tried.
	retryEvery = 2 * time.Second
	// closePatience bounds how long those who work on a queue keep it from
	// being closed when its disk is full.
	closePatience = time.Second
)

// trouble is why the queue is not open.
type trouble struct {
	err   error
	since time.Time
}

// watch closes the queue before its disk is full, opens it when there is room
// again, and sees to it that what passed meanwhile is made up for.
type watch struct {
	engine  *engine
	cancel  context.CancelFunc
	done    chan struct{}
	trimmed chan struct{} // closed when trimming has ended
	low     chan struct{} // tells that trimming cannot wait
	tried   time.Time
	level   queue.SpaceLevel
	// seen is the queue of which it is known whether something is missing in it.
	seen *badger.Store
}

func newWatch(e *engine) *watch {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watch{engine: e, cancel: cancel, done: make(chan struct{}), trimmed: make(chan struct{}), low: make(chan struct{}, 1), tried: time.Now()}
	go w.run(ctx)
	go w.trim(ctx)
	return w
}

// stop ends watching and waits for it. It is idempotent.
func (w *watch) stop() {
	w.cancel()
	<-w.done
	<-w.trimmed
}

func (w *watch) run(ctx context.Context) {
	defer close(w.done)
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			w.look(ctx)
		}
	}
}

// look does what the state of the disk asks for.
func (w *watch) look(ctx context.Context) {
	e := w.engine
	store := e.store.Load()
	if store == nil {
		w.tryOpening(ctx)
		return
	}
	switch level := store.CheckSpace(); {
	case level == queue.SpaceCritical:
		e.suspend(fmt.Errorf("%w: less than its critical free space is left", queue.ErrFull))
	case level != w.level:
		w.level = level
		if level == queue.SpaceLow {
			e.log.Warn("the disk of the queue has little free space: history is trimmed, and intents are noted by resource only")
			select {
			case w.low <- struct{}{}:
			default: // it is about to be
			}
		} else {
			e.log.Info("the disk of the queue has enough free space")
		}
	}
	e.mu.Lock()
	if e.idle != nil {
		e.takeUp()
	}
	e.mu.Unlock()
	store = e.store.Load()
	if store != nil && w.seen != store {
		w.seen = store
		e.lookAtAll(ctx, store)
	}
	if store != nil && e.handOver(ctx, store) && w.level == queue.SpaceEnough {
		e.gaps.expand(e.resources())
		e.gaps.repair(ctx, store, e.repaired)
	}
}

// lookAtAll has all objects looked at where something is missing in a queue.
func (e *engine) lookAtAll(ctx context.Context, store *badger.Store) {
	if store.Lost() == 0 && !store.WasRestored() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, queue.Timeout)
	defer cancel()
	err := e.gaps.whole(ctx, allResources)
	if err == nil {
		err = store.ForgetRestored()
	}
	if err != nil {
		e.log.Error("noting that the queue was restored; the next start will look at all objects again", zap.Error(err))
	}
}

// suspend closes the queue, and lets the API go on without it.
func (e *engine) suspend(reason error) {
	e.mu.Lock()
	session := e.session
	if session == nil || e.closed {
		e.mu.Unlock()
		return
	}
	e.session = nil
	e.fail(reason)
	e.store.Store(nil)
	e.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	if err := errors.Join(badger.ReleaseReserve(e.dir), session.stop(ctx, e.log)); err != nil {
		e.log.Error("closing the queue", zap.Error(err))
	}
}

// tryOpening opens the queue, if that may work by now.
func (w *watch) tryOpening(ctx context.Context) {
	o := w.beginOpening()
	if o == nil {
		return
	}
	select {
	case <-o.done:
		if o.err == nil {
			w.level = queue.SpaceEnough
		}
	case <-ctx.Done():
		// The engine ends, and waits for it as long as it waits for anything.
	}
}

func (w *watch) beginOpening() *opening {
	e := w.engine
	trouble := e.trouble.Load()
	if trouble == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || e.session != nil || e.opening.Load() != nil {
		return nil
	}
	if errors.Is(trouble.err, queue.ErrFull) {
		if enough, _, _ := badger.Room(e.options); !enough {
			return nil
		}
	} else if time.Since(w.tried) < retryEvery {
		return nil
	}
	w.tried = time.Now()
	return e.beginOpening(e.options)
}

// resources returns the names of the configured resources.
func (e *engine) resources() (names []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.started) == 0 {
		return nil
	}
	for _, r := range e.started[len(e.started)-1].resources() {
		names = append(names, r.Name)
	}
	return names
}
