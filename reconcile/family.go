// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// familySettles is how long after an event the objects that belong together are looked
// at once more: an API may count and clean up in the background.
const familySettles = 30 * time.Second

// unconfirmedOrphans is how often the children of an object are looked for because nobody
// but a client says that it was deleted, after ten of them: all objects are gone through.
const unconfirmedOrphans = 5 * time.Second

// Parent says which object of another resource an object belongs to.
type Parent struct {
	// Resource is the parent's resource.
	Resource string
	// Paths are the paths of Show that tell which it is.
	Paths []string
	// Of returns the parent's key, from the object's key and the fields at Paths.
	Of func(key event.Key, fields event.Fields) (event.Key, bool)
}

// linkFamilies notes for each resource which others are its children, and watches the
// fields that tell whose.
func linkFamilies(resources []Resource) {
	for i := range resources {
		child := &resources[i]
		if child.Parent == nil {
			continue
		}
		for _, path := range child.Parent.Paths {
			if !slices.Contains(child.paths, path) {
				child.paths = append(child.paths[:len(child.paths):len(child.paths)], path)
			}
		}
		for j := range resources {
			if resources[j].Name == child.Parent.Resource {
				resources[j].children = append(resources[j].children, child.Name)
			}
		}
	}
}

// family returns the marks of the objects that belong to one that has made an event, or
// that it belongs to: the parent of now, the parent of before, and after its delete the
// children, whom nobody can list any more.
func (r *Reconciler) family(ctx context.Context, resource *Resource, lease queue.MarkLease, next event.Snapshot, now time.Time) []queue.Mark {
	cause := lease.Cause
	if cause.Resource == "" {
		cause.Resource = lease.Key.Resource
	}
	var marks []queue.Mark
	if resource.Parent != nil {
		for _, fields := range []*event.Snapshot{lease.Snapshot, &next} {
			if fields == nil || fields.Gone {
				continue
			}
			parent, ok := resource.Parent.Of(lease.Key, fields.Watched)
			if !ok || slices.ContainsFunc(marks, func(m queue.Mark) bool { return m.Key == parent }) {
				continue
			}
			mark := queue.Mark{Key: parent, Hints: queue.HintMayBeUpdated, Cause: cause, SettleAt: now.Add(familySettles)}
			if _, err := r.store.Object(ctx, parent); err != nil {
				// Nothing shows that it changed.
				mark.Hints, mark.SettleAt = queue.HintLooked, time.Time{}
			}
			marks = append(marks, mark)
		}
	}
	if next.Gone || lease.Hints.Has(queue.HintDeleted) || lease.Hints.Has(queue.HintMayBeDeleted) {
		marks = append(marks, children(resource, lease, next.Gone)...)
	}
	return marks
}

// children returns the marks that have the children of an object looked at that was
// deleted, whether or not it is there again: a delete takes the children along, also where
// another object has the same key before the delete is seen. Gone means that it is not
// there any more; otherwise a delete that only a client stands for stays what it is.
func children(resource *Resource, lease queue.MarkLease, gone bool) (marks []queue.Mark) {
	cause, hints := lease.Cause, queue.HintUpdated
	if !gone {
		hints |= lease.Hints & queue.HintUnconfirmed
	}
	if cause.Resource == "" {
		cause.Resource = lease.Key.Resource
	}
	for _, child := range resource.children {
		marks = append(marks, queue.Mark{Key: queue.ChildrenKey(child, lease.Key), Hints: hints, Cause: cause})
	}
	return marks
}

// bereaved returns the marks that have the children of an object looked at of which there
// is no event, though it may have been deleted with all that belongs to it. There means
// that its Show has it: then it is as it was, and may be another with the same key, if it
// may have been made again. Nobody need have seen it: its children may be known.
func bereaved(resource *Resource, lease queue.MarkLease, there bool) []queue.Mark {
	made := lease.Hints&(queue.HintCreated|queue.HintMayBeCreated) != 0
	if lease.Hints.Has(queue.HintDeleted) || lease.Hints.Has(queue.HintMayBeDeleted) && (made || !there) {
		return children(resource, lease, false)
	}
	return nil
}

// orphans marks the known children of an object that was deleted, or whose children an
// exchange touched: those whose Show is gone are deleted, too. An object whose parent was
// not recorded yet may be one of them.
func (r *Reconciler) orphans(ctx context.Context, resource *Resource, lease queue.MarkLease) bool {
	begun := r.now()
	hints := queue.HintMayBeDeleted | lease.Hints&queue.HintUnconfirmed
	parent := event.Key{Resource: resource.Parent.Resource, ID: lease.Key.ID}
	err := r.eachObject(ctx, resource.Name, func(object event.Snapshot) (queue.Mark, bool) {
		of, known := resource.Parent.Of(object.Key, object.Watched)
		if !known {
			for _, path := range resource.Parent.Paths {
				_, watched := object.Watched[path]
				known = known || watched
			}
			known = known || len(resource.Parent.Paths) == 0
		}
		return queue.Mark{
			Key: object.Key, Hints: hints, Cause: lease.Cause, SettleAt: begun.Add(familySettles),
		}, !object.Gone && object.Alias == "" && (!known || of == parent)
	})
	if err != nil {
		if ctx.Err() == nil && !errors.Is(err, queue.ErrClosed) {
			r.log.Error("marking the children of an object", zap.String("object", parent.String()), zap.Error(err))
		}
		r.retry(ctx, lease, ResultFailed, err.Error(), 0)
		return true
	}
	result := r.commit(ctx, nil, lease, queue.Reconciled{AskedAt: begun}, ResultListed)
	r.metrics.Reconciled(lease.Key.Resource, result, r.now().Sub(begun))
	return true
}
