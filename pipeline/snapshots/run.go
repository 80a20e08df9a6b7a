// SPDX-License-Identifier: Apache-2.0

package snapshots

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// errLost is returned when a run is not this worker's any more: it was cancelled or begun
// again, or its endpoint was deleted.
var errLost = errors.New("the run has changed meanwhile")

const (
	// again and lastAgain are the least and the most that a run waits which cannot go on.
	again     = time.Second
	lastAgain = time.Minute
)

// run is a run that is worked on.
type run struct {
	*Worker
	name, tenant string
	subscribers.Run
	// unsaved counts what was passed since the record was written.
	unsaved int
	// steps counts the steps, by which it is seldom looked how much waits.
	steps int
	// unread counts the last objects in a row that could not be read.
	unread int
}

// work works on a run until nothing is left to do of it, or it is lost.
func (w *Worker) work(ctx context.Context, record queue.Record) {
	wait := again
	for {
		r := &run{Worker: w, name: record.ID, tenant: record.Owner}
		var err error
		if r.Run, err = subscribers.RunOf(record); err == nil {
			err = r.goOn(ctx)
		}
		switch {
		case err == nil, errors.Is(err, errLost), errors.Is(err, queue.ErrClosed), ctx.Err() != nil:
			return
		}
		w.Log.Warn("what an endpoint begins with cannot go on; it is tried again", zap.String("endpoint", record.ID), zap.Error(err))
		pause(ctx, wait)
		wait = min(2*wait, lastAgain)
		// After an error, nobody knows whether the step was done.
		if record, err = w.Store.Record(ctx, subscribers.KindRun, record.ID); err != nil {
			return
		}
	}
}

// goOn does what is left to do.
func (r *run) goOn(ctx context.Context) error {
	if err := r.adopt(ctx); err != nil {
		return err
	}
	for r.Running() {
		var err error
		switch r.State {
		case subscribers.Listing:
			err = r.list(ctx)
		case subscribers.Walking:
			err = r.walk(ctx)
		case subscribers.Replaying:
			err = r.replay(ctx)
		default:
			err = fmt.Errorf("%q is no state of a run", r.State)
		}
		if err != nil {
			return err
		}
	}
	r.Log.Info("an endpoint has got what it begins with", zap.String("endpoint", r.name), zap.Int("done", r.Done), zap.Bool("complete", r.Complete()))
	return nil
}

// adopt begins a run anew that was begun in another queue: this one was restored from its
// backup. What the endpoint was told of since then nobody knows here, and positions are
// others.
func (r *run) adopt(ctx context.Context) error {
	instance := r.Store.Instance()
	if r.Queue == subscribers.QueueName(instance) {
		return nil
	}
	version, replay := r.Version, r.IsReplay()
	r.Run = subscribers.NewSnapshotRun(instance, r.Now())
	r.Version = version
	if replay {
		r.Partial = true
		r.End(subscribers.Done, r.Now())
	}
	return r.save(ctx)
}

// save writes the record.
func (r *run) save(ctx context.Context) error {
	record, err := r.Record(r.name, r.tenant)
	if err != nil {
		return err
	}
	version, err := r.Store.Change(ctx, record)
	if errors.Is(err, queue.ErrConflict) {
		return errLost
	}
	if err != nil {
		return fmt.Errorf("storing how far it is: %w", err)
	}
	r.Version, r.unsaved = version, 0
	return nil
}

// ours reports, as an error, that the run is lost. It is for who waits, as whoever writes
// gets to know.
func (r *run) ours(ctx context.Context) error {
	kept, err := r.Store.Record(ctx, subscribers.KindRun, r.name)
	if errors.Is(err, queue.ErrNotFound) || err == nil && kept.Version != r.Version {
		return errLost
	}
	return err
}

// wait waits a while, and fails if the run is lost.
func (r *run) wait(ctx context.Context, d time.Duration) error {
	pause(ctx, d)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return r.ours(ctx)
}

// recipient is the endpoint of a run as it was at an epoch.
type recipient struct {
	endpoint.Endpoint
	epoch uint64
}

// recipient returns the endpoint, and waits while nothing can be delivered to it, as to
// one without a URL.
func (r *run) recipient(ctx context.Context) (recipient, error) {
	for {
		// The epoch first: the endpoints may be newer.
		epoch := r.Endpoints.Epoch()
		if found, ok := r.Endpoints.Set().Get(r.name); ok && found.Tenant == r.tenant {
			return recipient{found, epoch}, nil
		}
		if err := r.wait(ctx, again); err != nil {
			return recipient{}, err
		}
		if err := r.Endpoints.Refresh(ctx); err != nil {
			return recipient{}, err
		}
	}
}

// resources returns the names of the resources that the endpoint is told of, and waits
// while nothing is reconciled.
func (r *run) resources(ctx context.Context) (names []string, plan *reconcile.Plan, err error) {
	to, err := r.recipient(ctx)
	if err != nil {
		return nil, nil, err
	}
	for {
		if plan = r.Plan(); plan != nil {
			break
		}
		if err := r.wait(ctx, again); err != nil {
			return nil, nil, err
		}
	}
	for i := range plan.Resources {
		resource := &plan.Resources[i]
		if subscribers.AsksFor(to.Events.Patterns(), resource.Name, typesOf(resource)) {
			names = append(names, resource.Name)
		}
	}
	slices.Sort(names)
	return names, plan, nil
}
