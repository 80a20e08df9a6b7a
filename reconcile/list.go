// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// List lists all objects of a resource: those that exist when webhooks are
// first used, those that changed without passing here, and those that a gap may
// have hidden.
type List struct {
	// Resource is the resource whose objects are listed.
	Resource string
	// Parent, if not nil, lists the objects for each of which the list is asked for: an
	// API may list objects only by what they belong to.
	Parent *List
	// Read requests a page of what belongs to a parent, the zero Key without one; the
	// first page is "".
	Read func(ctx context.Context, parent event.Key, page string) (show.Show, error)
	// Page reads a page. Next is "" after the last.
	Page func(parent event.Key, page string, answer show.Show) (objects []Listed, next string, err error)
	// ID tells one list of the resource from another, in the place of which a new
	// configuration puts it.
	ID string
	// Counted means that pages are counted, and that the API may not say which is
	// the last.
	Counted bool
	// Every is how often all objects are listed; 0 for once.
	Every time.Duration
	// Backfill announces the objects of the first complete scan as created.
	Backfill bool
	// Limit limits how many requests are under way at once; nil means no limit.
	Limit *Limit
	// Looks is the budget of requests that no exchange caused.
	Looks *rate.Limiter
}

// Listed is an object in a list.
type Listed struct {
	Key event.Key
	// Version is the object's version, or "" if the list does not have it.
	Version string
}

// Limits of a list.
const (
	// listLease limits how long a list may take. It is spread over the budget
	// of looks, and a million objects take their time.
	listLease = 24 * time.Hour
	// maxPages ends a list whose pages never end.
	maxPages = 1_000_000
)

// errReplaced ends a list that a new configuration has replaced.
var errReplaced = errors.New("the list was replaced")

// list lists all objects and marks those that may have changed.
func (r *Reconciler) list(ctx context.Context, l *List, lease queue.MarkLease) (answered bool) {
	begun := r.now()
	first := lease.Snapshot == nil
	seen, note, err := r.listAll(ctx, l, l, func(objects []Listed) error { return r.markListed(ctx, l, objects, first) })
	name := queue.ListKey(l.Resource).Resource
	if err == nil {
		err = r.markAbsent(ctx, l, seen, begun)
	}
	switch {
	case errors.Is(err, errReplaced):
		r.release(lease)
		return true
	case err != nil:
		if ctx.Err() == nil {
			r.listBroken(l, begun, err.Error())
		}
		return r.listFailed(ctx, name, lease, err, r.now().Sub(begun))
	}
	if n, err := r.store.DismissUnresolvedBefore(ctx, l.Resource, begun); err == nil && n > 0 {
		r.log.Info("a complete list dismissed unresolved records", zap.String("resource", l.Resource), zap.Int("count", n))
	}
	reconciled := queue.Reconciled{
		AskedAt:  begun,
		Snapshot: &event.Snapshot{Key: lease.Key, Time: begun, ChangedAt: begun},
	}
	if l.Every > 0 {
		reconciled.LookAt = begun.Add(l.Every)
	}
	result := r.commit(ctx, nil, lease, reconciled, ResultListed)
	r.metrics.Reconciled(name, result, r.now().Sub(begun))
	r.listCompleted(l, begun, len(seen), note)
	r.log.Info("listed all objects", zap.String("resource", l.Resource), zap.Int("objects", len(seen)))
	if note != "" {
		r.log.Warn("a list may not be complete", zap.String("resource", l.Resource), zap.String("reason", note))
	}
	return true
}

// markListed marks listed objects that may have changed.
func (r *Reconciler) markListed(ctx context.Context, l *List, objects []Listed, first bool) error {
	var marks []queue.Mark
	for _, object := range objects {
		mark, needed, err := r.listMark(ctx, l, object, first)
		if err != nil {
			return err
		}
		if needed {
			marks = append(marks, mark)
		}
	}
	return r.markAll(ctx, marks)
}

// listMark makes the mark of a listed object, if it needs one.
//
// Objects in the first complete list existed before: they are recorded, without
// an event. An unseen object in a later list is new. An object of the first
// list that was not read in the meantime has a pending mark, by which it is
// recognised.
func (r *Reconciler) listMark(ctx context.Context, l *List, object Listed, first bool) (queue.Mark, bool, error) {
	mark := queue.Mark{Key: object.Key, Hints: queue.HintLooked, Version: ""}
	last, err := r.store.Object(ctx, object.Key)
	switch {
	case errors.Is(err, queue.ErrNotFound) && first && l.Backfill:
		mark.Hints = queue.HintCreated
	case errors.Is(err, queue.ErrNotFound) && first:
		mark.Hints |= queue.HintKnown
	case errors.Is(err, queue.ErrNotFound):
		mark.Hints |= queue.HintMayBeCreated
	case err != nil:
		return mark, false, err
	case last.Gone:
	case object.Version != "" && object.Version == last.Version:
		return mark, false, nil
	}
	mark.Cause = event.Cause{Rule: "list", Outcome: event.OutcomeUnknown, At: r.now()}
	return mark, true, nil
}

// markAbsent marks the known objects that a complete list did not have. Absence
// alone does not prove a delete; together with a Show that is gone, it does.
func (r *Reconciler) markAbsent(ctx context.Context, l *List, seen map[event.Key]struct{}, begun time.Time) error {
	return r.eachObject(ctx, l.Resource, func(object event.Snapshot) (queue.Mark, bool) {
		_, listed := seen[object.Key]
		return queue.Mark{
			Key: object.Key, Hints: queue.HintMayBeDeleted,
			Cause: event.Cause{Rule: "list", Outcome: event.OutcomeUnknown, At: begun},
		}, !listed && !object.Gone && object.Alias == "" && object.Time.Before(begun)
	})
}
