// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Routing is what Route knows of the endpoints that subscribers have stored: a copy
// that may be old. It is used at the same time by many.
type Routing interface {
	// Epoch returns the epoch of [queue.KindEndpoint] that Route and Formats have
	// seen all of. They may have seen more.
	Epoch() uint64
	// Refresh returns when they have seen all that the queue had when it was called,
	// and Epoch says so.
	Refresh(ctx context.Context) error
}

// noStored is the Routing of a Route that knows no stored endpoints, although there
// may be some, such as those of a configuration that was left. It only follows
// their epoch.
type noStored struct {
	store Store
	epoch atomic.Uint64
}

// Epoch implements [Routing].
func (n *noStored) Epoch() uint64 { return n.epoch.Load() }

// Refresh implements [Routing].
func (n *noStored) Refresh(ctx context.Context) error {
	epoch, err := n.store.Epoch(ctx, queue.KindEndpoint)
	if err != nil {
		return fmt.Errorf("reading whether endpoints have changed: %w", err)
	}
	n.epoch.Store(epoch)
	return nil
}

// send routes the events of a transition. The epoch is read first: endpoints that
// change while events are routed make them stale.
func (r *Resource) send(lease queue.MarkLease, reconciled *queue.Reconciled) {
	if r.Routing != nil {
		reconciled.Epoch = r.Routing.Epoch()
	}
	handedOver := r.handedOver(lease.Snapshot, *reconciled.Snapshot)
	for i := range reconciled.Events {
		routed := &reconciled.Events[i]
		r.route(lease, routed, handedOver)
		if r.Formats != nil {
			routed.Formats = r.Formats(routed.Endpoints)
		}
	}
}

// staleFor is how long a stale commit waits for the change that made it so: that may be
// in the same batch of the queue, and is seen only when it is committed.
const staleFor = time.Second

// commitRouted commits, and routes the events again as often as endpoints have
// changed meanwhile. The lease limits for how long. Passed is how the object is if it
// passes to a tenant.
func (r *Reconciler) commitRouted(ctx context.Context, resource *Resource, lease queue.MarkLease, reconciled *queue.Reconciled, passed *Sight) error {
	if passed != nil {
		resource.send(lease, reconciled) // it may have no events, and no epoch yet
	}
	for {
		commit, err := resource.with(ctx, reconciled, passed)
		if err != nil {
			return err
		}
		err = r.store.CommitReconciled(ctx, lease, commit)
		if resource == nil || !errors.Is(err, queue.ErrStale) {
			return err
		}
		before := reconciled.Epoch
		if err := r.reroute(ctx, resource, lease, reconciled); err != nil {
			return err
		}
		if reconciled.Epoch != before {
			continue
		}
		waiting, cancel := context.WithTimeout(ctx, staleFor)
		epoch, waitErr := r.store.Await(waiting, queue.KindEndpoint, before)
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(waitErr, context.DeadlineExceeded):
			continue // what would have changed the endpoints has failed, or it was the guard that did
		case waitErr != nil:
			return waitErr
		}
		if err := r.reroute(ctx, resource, lease, reconciled); err != nil {
			return err
		}
		if reconciled.Epoch < epoch {
			// The copy does not become newer, and the queue would refuse it for ever.
			return err
		}
	}
}

// reroute routes events by the endpoints that there are now.
func (r *Reconciler) reroute(ctx context.Context, resource *Resource, lease queue.MarkLease, reconciled *queue.Reconciled) error {
	if err := resource.Routing.Refresh(ctx); err != nil {
		return err
	}
	resource.send(lease, reconciled)
	return nil
}
