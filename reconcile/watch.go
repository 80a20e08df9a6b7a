// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// watchSuffix makes the name of the mark that keeps when a watch began.
const watchSuffix = "@watch"

// watchKey returns the key of the mark for the start of watching.
func watchKey(resource string) event.Key {
	return event.Key{Resource: resource + watchSuffix, ID: "all"}
}

// rewatch starts to watch the known objects of a resource if its `watch` was
// declared or changed since the last start.
func (r *Reconciler) rewatch(ctx context.Context, resource *Resource, lease queue.MarkLease) bool {
	asked := r.now()
	err := r.eachObject(ctx, resource.Name, func(object event.Snapshot) (queue.Mark, bool) {
		return queue.Mark{Key: object.Key, Hints: queue.HintLooked}, !object.Gone && object.Alias == ""
	})
	if err != nil {
		return r.listFailed(ctx, lease.Key.Resource, lease, err, 0)
	}
	r.commit(ctx, nil, lease, queue.Reconciled{
		AskedAt:  asked,
		Snapshot: &event.Snapshot{Key: lease.Key, Version: resource.watchVersion(), Time: asked},
	}, ResultListed)
	return true
}

// watchVersion identifies a way of watching.
func (r *Resource) watchVersion() string {
	return r.Every.String() + " " + r.Until
}
