// SPDX-License-Identifier: Apache-2.0

// Package snapshots does what endpoints begin with, beside what happens from now on: it
// tells them of all objects, or sends them what has happened before.
//
// A run is a record that is written with each step, in the same step of the queue. So a
// process that takes it up goes on where it was, and one that has lost it, because the run
// was cancelled or the endpoint deleted, hears of that with its next step.
package snapshots

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

const (
	// maxRuns is how many runs are worked on at once; the others wait. Most of those that
	// take long wait for their receivers, and must not hold up anybody else's.
	maxRuns = 10_000
	// perSecond is how many steps all runs make together: so few that what passes, and
	// the deliveries of others, do not feel them.
	perSecond = 200
	// pagesPerSecond is how many pages of known objects they look through.
	pagesPerSecond = 1000
	// heldFor is how long this process works on runs before it has to say so again, and
	// lookEvery how often it looks for new ones if it is not told.
	heldFor   = time.Minute
	lookEvery = 20 * time.Second
	// restAfter is how long it rests after a look: each step of a run wakes it.
	restAfter = time.Second
)

// Reconciler is what the runs need of the one that reads Shows.
type Reconciler interface {
	Sight(ctx context.Context, known event.Snapshot) (reconcile.Sight, error)
	Listings() []reconcile.Listing
}

// Endpoints are the endpoints that events are routed to.
type Endpoints interface {
	reconcile.Routing
	Set() *endpoint.Set
}

// Options holds what a Worker needs. Those without a default are required.
type Options struct {
	Store      queue.Store
	Reconciler Reconciler
	Endpoints  Endpoints
	// Plan returns what is reconciled, nil if nothing is at present.
	Plan func() *reconcile.Plan
	// Replaying is called when others are the endpoints that [Replaying] returns. Default:
	// nobody is told.
	Replaying func()
	// Now is the clock. Default: [time.Now].
	Now func() time.Time
	// Log is for operators. Default: none.
	Log *zap.Logger
}

// Worker works on the runs of a queue.
type Worker struct {
	Options
	pace, scan *rate.Limiter
	waiting    waiting
}

// New returns a worker, which does nothing before [Worker.Follow].
func New(options Options) *Worker {
	if options.Replaying == nil {
		options.Replaying = func() {}
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Log == nil {
		options.Log = zap.NewNop()
	}
	return &Worker{
		Options: options, pace: rate.NewLimiter(perSecond, perSecond/10), scan: rate.NewLimiter(pagesPerSecond, pagesPerSecond/10),
	}
}

// Follow works on all runs until the context ends, and waits for what is under way.
func (w *Worker) Follow(ctx context.Context) {
	var working sync.WaitGroup
	defer working.Wait()
	ended := make(chan string, maxRuns)
	atWork := make(map[string]bool)
	var replaying map[string]bool
	for ctx.Err() == nil {
		epoch, found, err := w.look(ctx)
		if err != nil && ctx.Err() == nil && !errors.Is(err, queue.ErrClosed) {
			w.Log.Warn("looking for what endpoints begin with; it is tried again", zap.Error(err))
		}
		if now := replays(found); err == nil && !maps.Equal(now, replaying) {
			replaying = now
			w.Replaying()
		}
		for len(ended) > 0 {
			delete(atWork, <-ended)
		}
		for _, record := range found {
			if atWork[record.ID] || len(atWork) >= maxRuns {
				continue
			}
			atWork[record.ID] = true
			w.Log.Info("an endpoint is told what it begins with", zap.String("endpoint", record.ID), zap.String("state", string(record.run.State)), zap.Int("done", record.run.Done))
			working.Go(func() {
				w.work(ctx, record.Record)
				ended <- record.ID
			})
		}
		pause(ctx, restAfter)
		waiting, cancel := context.WithTimeout(ctx, lookEvery)
		if err == nil && len(ended) == 0 {
			_, _ = w.Store.Await(waiting, subscribers.KindRun, epoch)
		}
		cancel()
	}
}

// running is a run that something is left to do of, with its record.
type running struct {
	queue.Record
	run subscribers.Run
}

// look returns the runs that something is left to do of, if this process is to do it, and
// the epoch from which on others may be.
func (w *Worker) look(ctx context.Context) (epoch uint64, found []running, err error) {
	held, err := w.Store.LeaseMaintenance(ctx, "snapshots", heldFor)
	if err != nil {
		return 0, nil, err
	}
	if epoch, err = w.Store.Epoch(ctx, subscribers.KindRun); err != nil || !held {
		return epoch, nil, err
	}
	found, unread, err := runs(ctx, w.Store)
	if unread != nil {
		w.Log.Error("what endpoints begin with cannot be read", zap.Error(unread))
	}
	return epoch, found, err
}

// runs returns the runs that something is left to do of. Unread is why some of them cannot
// be read.
func runs(ctx context.Context, store queue.Store) (found []running, unread, err error) {
	page := queue.Page{Limit: queue.MaxLimit}
	for {
		records, next, err := store.Records(ctx, subscribers.KindRun, page)
		if err != nil {
			return nil, unread, err
		}
		for i := range records {
			if run, err := subscribers.RunOf(records[i]); err != nil {
				unread = err
			} else if run.Running() {
				found = append(found, running{records[i], run})
			}
		}
		if page.Cursor = next; next == "" {
			return found, unread, nil
		}
	}
}

// replays returns the endpoints whose runs send older events.
func replays(found []running) map[string]bool {
	names := make(map[string]bool)
	for i := range found {
		if found[i].run.State == subscribers.Replaying {
			names[found[i].ID] = true
		}
	}
	return names
}

// Replaying returns the endpoints that begin with older events, and have not got all of
// them yet. If they were sent what happens now, something older would come after something
// newer.
func Replaying(ctx context.Context, store queue.Store) (map[string]bool, error) {
	found, _, err := runs(ctx, store)
	return replays(found), err
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
