// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"github.com/caddy-webhooks/caddy-webhooks/body"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// callbackPrefix begins the name under which deliveries to the receivers that
// requests named are queued; the resource follows.
const callbackPrefix = "notify."

// plan returns what reconcile is to work on.
func (a *App) plan() reconcile.Plan {
	a.mu.Lock()
	defer a.mu.Unlock()
	var plan reconcile.Plan
	seen := make(map[string]bool)
	for _, h := range a.handlers {
		limit := reconcile.NewLimit(h.MaxShows)
		looks := rate.NewLimiter(rate.Limit(h.LookRate), max(int(h.LookRate), 1))
		for _, r := range h.rules.resources {
			if seen[r.name] {
				continue
			}
			seen[r.name] = true
			plan.Resources = append(plan.Resources, a.reconciled(h, r, limit, looks))
			for _, l := range r.listings() {
				if !seen[l.Name] {
					seen[l.Name] = true
					l.Read, l.Limit, l.Looks = l.reader(h.upstream), limit, looks
					plan.Listings = append(plan.Listings, l.Listing)
				}
			}
			if r.list != nil {
				plan.Scans = append(plan.Scans, r.list.scan(h.upstream, limit, looks))
			}
		}
	}
	return plan
}

// resources returns the resources of all handlers, each once.
func (a *App) resources() []*resource {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []*resource
	seen := make(map[string]bool)
	for _, h := range a.handlers {
		for _, r := range h.rules.resources {
			if !seen[r.name] {
				seen[r.name] = true
				all = append(all, r)
			}
		}
	}
	return all
}

// repaired returns what repairing a gap needs to know of a resource. It is not
// ok before a configuration has started.
func (e *engine) repaired(name string) (known repaired, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.started) == 0 {
		return known, false
	}
	app := e.started[len(e.started)-1]
	app.mu.Lock()
	defer app.mu.Unlock()
	for _, h := range app.handlers {
		for _, r := range h.rules.resources {
			if r.name == name {
				known.listed = known.listed || r.list != nil
				known.settles = max(known.settles, time.Duration(h.UpstreamTimeout)+r.lag)
			}
		}
	}
	return known, true
}

// reconciled returns a resource as reconcile wants it.
func (a *App) reconciled(h *Handler, r *resource, limit *reconcile.Limit, looks *rate.Limiter) reconcile.Resource {
	made := reconcile.Resource{
		Name: r.name, Read: r.reader(h), Version: r.version, ETag: r.etag, Lag: r.lag, Tenant: r.tenant,
		Projection: r.projection, KeepShow: r.keepShow, Triggers: r.triggers, Limit: limit, Looks: looks,
		Route: a.route,
		// What is sent is decided when the event is committed.
		Formats: a.formats,
	}
	if r.aliases {
		made.Canonical = r.canonical
	}
	if r.watch != nil {
		made.Every, made.Until = r.watch.every, r.watch.text
		made.Final = r.watch.until.final
	}
	if n := r.notify; n != nil {
		made.Callback = &reconcile.CallbackRule{Endpoint: callbackPrefix + r.name, Wants: n.filter.Match}
		if n.until != nil {
			made.Callback.Last = n.until.final
		}
	}
	return made
}

// reader returns how the Show of a resource's object is read.
func (r *resource) reader(h *Handler) func(context.Context, queue.MarkLease) (show.Show, error) {
	return func(ctx context.Context, lease queue.MarkLease) (show.Show, error) {
		request, err := r.show.build(lease.Key.Parts())
		if err != nil {
			return show.Show{}, err
		}
		if r.showFrom == showFromOperator {
			return r.read(ctx, h.upstream, request)
		}
		lent := h.loans.take(lease.Key)
		switch {
		case lent.show != nil && lease.Generation <= 1:
			return r.understood(*lent.show)
		case r.showFrom == showFromResponse, lease.Look:
			return r.read(ctx, h.upstream, request)
		case lent.header == nil:
			return show.Show{}, reconcile.ErrNoCredential
		}
		request.Header = request.Header.Clone()
		if request.Header == nil {
			request.Header = make(http.Header)
		}
		for name, values := range lent.header {
			request.Header[name] = values
		}
		answer, err := r.read(ctx, h.upstream, request)
		if err != nil || answer.Status >= 500 || answer.Status == http.StatusTooManyRequests || answer.Status == http.StatusNotFound {
			h.loans.giveBack(lease.Key, lent)
		}
		return answer, err
	}
}

// planned is a listing of a rule as reconcile wants it.
type planned struct {
	reconcile.Listing
	from *listing
}

// listings returns the listings that a resource's rules ask for.
func (r *resource) listings() []planned {
	var all []planned
	add := func(l *listing, kind reconcile.ListingKind) {
		if l == nil {
			return
		}
		of := l.of
		if of == nil {
			of = r
		}
		ids := func(json []byte) []string { return body.Scalars(json, l.ids, maxKeys) }
		all = append(all, planned{from: l, Listing: reconcile.Listing{
			Name: l.name, Kind: kind, Keys: reconcile.ListedKeys(of.name, ids, maxKeys),
		}})
	}
	for _, rule := range r.rules {
		for _, t := range rule.touches {
			add(t.via, reconcile.Touched)
		}
		add(rule.find, reconcile.Found)
		add(rule.later, reconcile.Awaited)
	}
	return all
}

func (p planned) reader(upstream *show.Upstream) func(context.Context, event.Key) (show.Show, error) {
	return func(ctx context.Context, key event.Key) (show.Show, error) {
		request, err := p.from.request.build(key.Parts())
		if err != nil {
			return show.Show{}, err
		}
		return upstream.Read(ctx, request)
	}
}

// scan returns a list as reconcile wants it.
func (l *scanList) scan(upstream *show.Upstream, limit *reconcile.Limit, looks *rate.Limiter) reconcile.Scan {
	return reconcile.Scan{
		Resource: l.of.name, Every: l.every, Backfill: l.backfill, Limit: limit, Looks: looks,
		Read: func(ctx context.Context, page string) (show.Show, error) {
			request, err := l.request.build(nil)
			if err != nil {
				return show.Show{}, err
			}
			if page != "" || l.nextQuery != "" && l.next == "" {
				if request.Path, err = l.target(request.Path, page); err != nil {
					return show.Show{}, err
				}
			}
			return upstream.Read(ctx, request)
		},
		Page: func(page string, answer show.Show) ([]reconcile.Listed, string, error) {
			objects, next, err := l.page(page, answer)
			found := make([]reconcile.Listed, 0, len(objects))
			for _, object := range objects {
				found = append(found, reconcile.Listed(object))
			}
			return found, next, err
		},
	}
}

// lag returns the longest lag of all resources.
func (a *App) lag() (longest time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, h := range a.handlers {
		for _, r := range h.rules.resources {
			longest = max(longest, r.lag)
		}
	}
	return longest
}
