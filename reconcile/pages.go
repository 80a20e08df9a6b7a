// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// listAll reads all pages of a list, for each of its parents if it has such, has take
// take what was on no page before, and returns all of it, with what operators should know.
// It fails as a whole if a page fails: an incomplete list says nothing about the objects
// that it lacks. For is the list of the plan on whose behalf it is read.
//
// The parents are those of their list now, not those that are known: a child of one that
// nobody has looked at yet would seem new later.
func (r *Reconciler) listAll(ctx context.Context, l, whose *List, take func([]Listed) error) (map[event.Key]struct{}, string, error) {
	if l.Parent == nil {
		pages, err := r.listPages(ctx, l, whose, event.Key{}, take)
		if err != nil {
			return nil, "", err
		}
		return pages.seen, pages.note(), nil
	}
	parents, note, err := r.listAll(ctx, l.Parent, whose, func([]Listed) error { return nil })
	if err != nil {
		return nil, "", fmt.Errorf("the list of %s: %w", l.Parent.Resource, err)
	}
	all := make(map[event.Key]struct{})
	gone := 0
	for _, parent := range slices.SortedFunc(maps.Keys(parents), func(a, b event.Key) int { return cmp.Compare(a.ID, b.ID) }) {
		pages, err := r.listPages(ctx, l, whose, parent, take)
		switch {
		case err != nil:
			return nil, "", fmt.Errorf("of %s: %w", parent, err)
		case pages == nil:
			gone++
			continue
		}
		maps.Copy(all, pages.seen)
		note = cmp.Or(note, pages.note())
	}
	if gone > 0 && gone == len(parents) {
		return nil, "", fmt.Errorf("each of the %d lists, of one of %s each, was answered with 404 or 410", gone, l.Parent.Resource)
	}
	return all, note, nil
}

// listPages reads all pages of what belongs to a parent, nil if there is no such parent
// any more.
func (r *Reconciler) listPages(ctx context.Context, l, whose *List, parent event.Key, take func([]Listed) error) (*paging, error) {
	pages := newPaging(l.Counted)
	page := ""
	for range maxPages {
		answer, err := r.listPage(ctx, l, whose, parent, page)
		if err != nil {
			return nil, err
		}
		if pages.isPastEnd(answer.Status) {
			status := answer.Status
			if answer, err = r.listPage(ctx, l, whose, parent, page); err != nil {
				return nil, err
			}
			if answer.Status == status {
				return pages, nil
			}
		}
		if !parent.IsZero() && page == "" && (answer.Status == http.StatusNotFound || answer.Status == http.StatusGone) {
			return nil, nil //nolint:nilnil // as documented
		}
		if answer.Status < 200 || answer.Status > 299 {
			return nil, fmt.Errorf("page %d of the list was answered with %d%s", len(pages.visited)+1, answer.Status, leadsTo(answer))
		}
		objects, next, err := l.Page(parent, page, answer)
		if err != nil {
			return nil, err
		}
		if err := take(pages.fresh(objects)); err != nil {
			return nil, err
		}
		if page, err = pages.turn(page, objects, next); page == "" || err != nil {
			return pages, err
		}
	}
	return nil, fmt.Errorf("the list has more than %d pages", maxPages)
}

// listPage reads one page, when the budget of looks allows it.
func (r *Reconciler) listPage(ctx context.Context, l, whose *List, parent event.Key, page string) (answer show.Show, err error) {
	if l.Looks != nil {
		if err := l.Looks.Wait(ctx); err != nil {
			return answer, err
		}
	}
	if !r.wants(whose) {
		return answer, errReplaced
	}
	return l.read(ctx, parent, page)
}

// read reads one page, using a look's place.
func (l *List) read(ctx context.Context, parent event.Key, page string) (answer show.Show, err error) {
	if l.Limit != nil {
		if err := l.Limit.AcquireLook(ctx); err != nil {
			return answer, err
		}
		begun := time.Now()
		defer func() {
			l.Limit.ReleaseLook(ctx.Err() != nil || err == nil && !overloaded(answer), time.Since(begun))
		}()
	}
	return l.Read(ctx, parent, page)
}
