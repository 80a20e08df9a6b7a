// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/pipeline"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/intake"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// budgets are what a handler lets the API feel: how many Shows are read at once,
// and how many a second that no exchange asked for, or none that was confirmed.
type budgets struct {
	limit              *reconcile.Limit
	looks, unconfirmed *rate.Limiter
}

func newBudgets(h *Handler) budgets {
	perSecond := func() *rate.Limiter { return rate.NewLimiter(rate.Limit(h.LookRate), max(int(h.LookRate), 1)) }
	return budgets{limit: reconcile.NewLimit(h.MaxShows, h.clients), looks: perSecond(), unconfirmed: perSecond()}
}

// plan returns what is reconciled, of all handlers.
func (a *App) plan() reconcile.Plan {
	a.mu.Lock()
	defer a.mu.Unlock()
	var plan reconcile.Plan
	seen := make(map[string]bool)
	for _, h := range a.handlers {
		budgets := newBudgets(h)
		for _, r := range h.rules.Resources {
			if seen[r.Name] {
				continue
			}
			seen[r.Name] = true
			plan.Resources = append(plan.Resources, a.planResource(h, r, budgets))
			for _, q := range planQueries(r, h.upstream, budgets) {
				if !seen[q.Name] {
					seen[q.Name] = true
					plan.Queries = append(plan.Queries, q)
				}
			}
			if r.List != nil {
				plan.Lists = append(plan.Lists, planList(r.List, h.upstream, budgets))
			}
		}
	}
	return plan
}

// resources returns the resources of all handlers, each once.
func (a *App) resources() []*rules.Resource {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []*rules.Resource
	seen := make(map[string]bool)
	for _, h := range a.handlers {
		for _, r := range h.rules.Resources {
			if !seen[r.Name] {
				seen[r.Name] = true
				all = append(all, r)
			}
		}
	}
	return all
}

// intakeResources returns what the intake needs to know of the resources, each
// once. If two handlers have a resource, the longer time counts.
func (a *App) intakeResources() []intake.Resource {
	a.mu.Lock()
	defer a.mu.Unlock()
	all, at := []intake.Resource{}, make(map[string]int)
	for _, h := range a.handlers {
		for _, r := range h.rules.Resources {
			i, known := at[r.Name]
			if !known {
				i = len(all)
				at[r.Name] = i
				all = append(all, intake.Resource{Name: r.Name})
			}
			all[i].Listed = all[i].Listed || r.List != nil
			all[i].Settles = max(all[i].Settles, time.Duration(h.UpstreamTimeout)+r.Lag)
		}
	}
	return all
}

// route returns the endpoints that get an event: those that want its type and
// may see its object, less those that are disabled and want nothing kept; and those
// whose filters leave it out.
func (a *App) route(e *event.Event) (to, filtered []string) {
	endpoints := a.pipeline.Endpoints()
	to, filtered = endpoints.Route(e, func() event.Document {
		return show.Show{Header: http.Header{"Content-Type": {e.ContentType}}, Body: e.Payload}.Document()
	}, func(name string, err error) {
		counted.FilterFailed()
		a.log.Debug("a filter cannot be decided, and lets the event through",
			zap.String("endpoint", name), zap.String("event", e.Type), zap.Error(err))
	})
	counted.Filtered(len(filtered))
	if !a.drops {
		return to, filtered
	}
	kept := make([]string, 0, len(to))
	for _, name := range to {
		if subscriber, _ := endpoints.Get(name); !a.pipeline.Keeps(subscriber) {
			counted.Dropped()
			continue
		}
		kept = append(kept, name)
	}
	return kept, filtered
}

// formats returns the payload formats of endpoints.
func (a *App) formats(endpoints []string) map[string]string {
	return formatsOf(a.pipeline.Endpoints(), endpoints)
}

func formatsOf(set *endpoint.Set, endpoints []string) map[string]string {
	formats := make(map[string]string, len(endpoints))
	for _, name := range endpoints {
		if e, ok := set.Get(name); ok {
			formats[name] = e.Payload.String()
		}
	}
	return formats
}

// planResource returns a resource as reconcile wants it.
func (a *App) planResource(h *Handler, r *rules.Resource, b budgets) reconcile.Resource {
	counted.Declare(r)
	made := reconcile.Resource{
		Name: r.Name, Read: showReader(h, r), Version: r.Version, ETag: r.ETag, Lag: r.Lag, Tenant: r.Tenant, HTML: r.HTML, Asks: r.Asks(),
		Noted: r.NoteShow, Projection: r.Projection, KeepShow: r.KeepShow, Triggers: r.Triggers, Limit: b.limit, Looks: b.looks, Unconfirmed: b.unconfirmed,
		Route: a.route, Made: a.catalogue.See,
		// What is sent is decided when the event is committed.
		Formats:    a.formats,
		Own:        r.Own,
		Listed:     r.List != nil,
		Moved:      r.Moved,
		Comparison: comparison(r),
	}
	if p := r.Parent; p != nil {
		made.Parent = &reconcile.Parent{Resource: p.Resource.Name, Paths: p.Paths, Of: r.ParentOf}
	}
	if r.Aliases {
		made.Canonical = r.Canonical
	}
	if r.Watch != nil {
		made.Every, made.Until = r.Watch.Every, r.Watch.Until.String()
		made.Final = r.Watch.Until.HoldsIn
	}
	if n := r.Callback; n != nil {
		made.Callback = &reconcile.CallbackRule{Endpoint: pipeline.CallbackPrefix + r.Name, Wants: n.Filter.Match}
		if n.Until != nil {
			made.Callback.Last = n.Until.HoldsIn
		}
	}
	return made
}

// comparison returns what of a resource's Shows counts when they are compared.
func comparison(r *rules.Resource) reconcile.Comparison {
	return reconcile.Comparison{Volatile: r.Volatile, ID: r.VolatileID}
}

// showReader returns how the Show of a resource's object is read.
func showReader(h *Handler, r *rules.Resource) func(context.Context, queue.MarkLease) (show.Show, error) {
	return func(ctx context.Context, lease queue.MarkLease) (show.Show, error) {
		request, err := r.Show.Build(lease.Key.Parts())
		if err != nil {
			return show.Show{}, fmt.Errorf("%w: %w", reconcile.ErrNever, err)
		}
		request.Object = lease.Key
		// What an exchange has lent is its mark's, and without a mark nobody's.
		if r.ShowFrom == syntax.ShowFromOperator || lease.Generation == 0 {
			return r.Read(ctx, h.upstream, request)
		}
		lent := h.watcher.Remembered.Take(lease.Key)
		switch {
		case lent.Show != nil && lease.Generation <= 1:
			return r.Interpret(*lent.Show)
		case r.ShowFrom == syntax.ShowFromResponse, lease.Look:
			return r.Read(ctx, h.upstream, request)
		case lent.Header == nil:
			return show.Show{}, reconcile.ErrNoCredential
		}
		request.Header = request.Header.Clone()
		if request.Header == nil {
			request.Header = make(http.Header)
		}
		for name, values := range lent.Header {
			request.Header[name] = values
		}
		answer, err := r.Read(ctx, h.upstream, request)
		if err != nil || answer.Status >= 500 || answer.Status == http.StatusTooManyRequests || answer.Status == http.StatusNotFound {
			h.watcher.Remembered.GiveBack(lease.Key, lent)
		}
		return answer, err
	}
}

// planQueries returns the queries of a resource's rules as reconcile wants
// them.
func planQueries(r *rules.Resource, upstream *show.Upstream, b budgets) []reconcile.Query {
	var all []reconcile.Query
	add := func(q *rules.Query, kind reconcile.QueryKind) {
		if q != nil {
			all = append(all, reconcile.Query{
				Name: q.Name, Kind: kind, Keys: func(of event.Key, answer event.Document) ([]event.Key, error) { return q.Keys(of.Parts(), answer) },
				Read: queryReader(q, upstream), Limit: b.limit, Looks: b.looks, Unconfirmed: b.unconfirmed,
			})
		}
	}
	for _, rule := range r.Rules {
		for _, t := range rule.Touches {
			add(t.Via, reconcile.Touched)
		}
		add(rule.Find, reconcile.Found)
		add(rule.Later, reconcile.Awaited)
	}
	return all
}

// queryReader returns how the answer to a query is read.
func queryReader(q *rules.Query, upstream *show.Upstream) func(context.Context, event.Key) (show.Show, error) {
	return func(ctx context.Context, key event.Key) (show.Show, error) {
		request, err := q.Request.Build(key.Parts())
		if err != nil {
			return show.Show{}, fmt.Errorf("%w: %w", reconcile.ErrNever, err)
		}
		request.Object = key
		return upstream.Read(ctx, request)
	}
}

// planList returns a list as reconcile wants it.
func planList(l *rules.List, upstream *show.Upstream, b budgets) reconcile.List {
	planned := reconcile.List{
		Resource: l.Resource.Name, ID: l.ID, Counted: l.Counted(), Every: l.Every, Backfill: l.Backfill, Limit: b.limit, Looks: b.looks,
		Read: func(ctx context.Context, parent event.Key, page string) (show.Show, error) {
			request, err := l.Request(parent, page)
			if err != nil {
				return show.Show{}, err
			}
			return upstream.Read(ctx, request)
		},
		Page: func(parent event.Key, page string, answer show.Show) ([]reconcile.Listed, string, error) {
			objects, next, err := l.Page(parent, page, answer)
			found := make([]reconcile.Listed, 0, len(objects))
			for _, object := range objects {
				found = append(found, reconcile.Listed(object))
			}
			return found, next, err
		},
	}
	if l.Parent != nil {
		parent := planList(l.Parent, upstream, b)
		planned.Parent = &parent
	}
	return planned
}

// lag returns the longest lag of all resources.
func (a *App) lag() (longest time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, h := range a.handlers {
		for _, r := range h.rules.Resources {
			longest = max(longest, r.Lag)
		}
	}
	return longest
}
