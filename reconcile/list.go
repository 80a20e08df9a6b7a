// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"errors"
	"fmt"
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
	// Read requests a page; the first is "".
	Read func(ctx context.Context, page string) (show.Show, error)
	// Page reads a page. Next is "" after the last.
	Page func(page string, answer show.Show) (objects []Listed, next string, err error)
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
	pages, err := r.listPages(ctx, l, lease)
	name := queue.ListKey(l.Resource).Resource
	if err == nil {
		err = r.markAbsent(ctx, l, pages.seen, begun)
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
	result := r.commit(ctx, lease, reconciled, ResultListed)
	r.metrics.Reconciled(name, result, r.now().Sub(begun))
	r.listCompleted(l, begun, len(pages.seen), pages.note())
	r.log.Info("listed all objects", zap.String("resource", l.Resource), zap.Int("objects", len(pages.seen)))
	if note := pages.note(); note != "" {
		r.log.Warn("a list may not be complete", zap.String("resource", l.Resource), zap.String("reason", note))
	}
	return true
}

// listPages reads all pages, and marks the listed objects. It fails as a whole if a
// page fails: an incomplete list says nothing about the objects that it lacks.
func (r *Reconciler) listPages(ctx context.Context, l *List, lease queue.MarkLease) (*paging, error) {
	pages := newPaging(l.Counted)
	first := lease.Snapshot == nil
	page := ""
	for range maxPages {
		answer, err := r.listPage(ctx, l, page)
		if err != nil {
			return nil, err
		}
		if pages.isPastEnd(answer.Status) {
			status := answer.Status
			if answer, err = r.listPage(ctx, l, page); err != nil {
				return nil, err
			}
			if answer.Status == status {
				return pages, nil
			}
		}
		if answer.Status < 200 || answer.Status > 299 {
			return nil, fmt.Errorf("page %d of the list was answered with %d%s", len(pages.visited)+1, answer.Status, leadsTo(answer))
		}
		objects, next, err := l.Page(page, answer)
		if err != nil {
			return nil, err
		}
		if err := r.markListed(ctx, l, objects, pages, first); err != nil {
			return nil, err
		}
		if page, err = pages.turn(page, objects, next); page == "" || err != nil {
			return pages, err
		}
	}
	return nil, fmt.Errorf("the list has more than %d pages", maxPages)
}

// listPage reads one page, when the budget of looks allows it.
func (r *Reconciler) listPage(ctx context.Context, l *List, page string) (answer show.Show, err error) {
	if l.Looks != nil {
		if err := l.Looks.Wait(ctx); err != nil {
			return answer, err
		}
	}
	if !r.wants(l) {
		return answer, errReplaced
	}
	return l.read(ctx, page)
}

// markListed marks the objects of a page that may have changed, and were not on a page
// before.
func (r *Reconciler) markListed(ctx context.Context, l *List, objects []Listed, pages *paging, first bool) error {
	var marks []queue.Mark
	for _, object := range objects {
		if _, again := pages.seen[object.Key]; again {
			continue
		}
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

// read reads one page, using a look's place.
func (l *List) read(ctx context.Context, page string) (answer show.Show, err error) {
	if l.Limit != nil {
		if err := l.Limit.AcquireLook(ctx); err != nil {
			return answer, err
		}
		defer func() { l.Limit.ReleaseLook(ctx.Err() != nil || err == nil && !overloaded(answer)) }()
	}
	return l.Read(ctx, page)
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
