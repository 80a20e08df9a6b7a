// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

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

// commitRouted commits, and routes the events again as often as endpoints have
// changed meanwhile. The lease limits for how long.
func (r *Reconciler) commitRouted(ctx context.Context, resource *Resource, lease queue.MarkLease, reconciled *queue.Reconciled) error {
	for {
		err := r.store.CommitReconciled(ctx, lease, *reconciled)
		if resource == nil || !errors.Is(err, queue.ErrStale) {
			return err
		}
		if err := resource.Routing.Refresh(ctx); err != nil {
			return err
		}
		before := reconciled.Epoch
		if resource.send(lease, reconciled); reconciled.Epoch == before {
			// The queue would refuse it for ever.
			return err
		}
	}
}
