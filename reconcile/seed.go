// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"errors"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// markBatch is how many objects are marked in one step.
const markBatch = 500

// seed makes the marks that follow from the configuration alone: the first list
// of a resource, an overdue list, and the start of watching.
func (r *Reconciler) seed(ctx context.Context, resources []Resource, lists []List) {
	now := r.now()
	for i := range resources {
		if resource := &resources[i]; resource.Every > 0 {
			r.seedOne(ctx, watchKey(resource.Name), func(last event.Snapshot) bool {
				return last.Version != resource.watchVersion()
			})
		}
	}
	for _, l := range lists {
		r.seedOne(ctx, queue.ListKey(l.Resource), func(last event.Snapshot) bool {
			return l.Every > 0 && now.Sub(last.Time) > l.Every
		})
	}
}

func (r *Reconciler) seedOne(ctx context.Context, key event.Key, needed func(event.Snapshot) bool) {
	last, err := r.store.Object(ctx, key)
	if errors.Is(err, queue.ErrNotFound) || err == nil && needed(last) {
		err = r.markAll(ctx, []queue.Mark{{Key: key, Hints: queue.HintLooked}})
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, queue.ErrClosed) && !errors.Is(err, queue.ErrNotFound) {
		r.log.Error("marking work that the configuration requires", zap.String("what", key.Resource), zap.Error(err))
	}
}

// eachObject marks the known objects of a resource that pick chooses.
func (r *Reconciler) eachObject(ctx context.Context, resource string, pick func(event.Snapshot) (queue.Mark, bool)) error {
	after := event.Key{}
	for {
		objects, err := r.store.Objects(ctx, resource, after, markBatch)
		if err != nil {
			return err
		}
		if len(objects) == 0 {
			return nil
		}
		var marks []queue.Mark
		for _, object := range objects {
			if mark, picked := pick(object); picked {
				marks = append(marks, mark)
			}
		}
		if err := r.markAll(ctx, marks); err != nil {
			return err
		}
		after = objects[len(objects)-1].Key
	}
}

// markAll marks objects that no exchange marked.
func (r *Reconciler) markAll(ctx context.Context, marks []queue.Mark) error {
	for len(marks) > 0 {
		n := min(len(marks), markBatch)
		if err := r.store.ResolveIntent(ctx, 0, queue.Resolution{Marks: marks[:n]}, true); err != nil {
			return err
		}
		marks = marks[n:]
	}
	return nil
}
