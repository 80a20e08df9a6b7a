// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

func init() {
	caddy.RegisterModule(adminAPI{})
}

// adminAPI is what operators see of the queue, on Caddy's admin endpoint:
//
//	GET /webhooks/status       what is in the queue, and the configuration at work
//	GET /webhooks/health       200 when the queue is open and its work is done, else 503
//	GET /webhooks/events       events, newest first; /webhooks/events/ID with its payload
//	GET /webhooks/deliveries   deliveries, newest first
//	GET /webhooks/attempts     attempts, newest first
//	GET /webhooks/marks        objects that wait for reconciling
//	GET /webhooks/unresolved   exchanges that changed something without telling what
//	GET /webhooks/endpoints    endpoints, and how they stand
//
// and what operators do about it: see operatorVerb and operateEndpoint, and for
// detection see detect.
//
// Lists take `limit` and `cursor`, and where it applies `event`, `type`,
// `object`, `endpoint` and `status`.
type adminAPI struct{}

// CaddyModule returns the Caddy module information.
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.webhooks",
		New: func() caddy.Module { return new(adminAPI) },
	}
}

// Routes implements caddy.AdminRouter.
func (a adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: "/webhooks/", Handler: caddy.AdminHandlerFunc(a.serve)}}
}

func (a adminAPI) serve(w http.ResponseWriter, r *http.Request) error {
	// Admin routes are provisioned before the apps, and stay when a new
	// configuration fails: so the app is looked up for every request.
	found, err := caddy.ActiveContext().AppIfConfigured("webhooks")
	if err != nil {
		return refuse(http.StatusNotFound, errors.New("the running configuration has no webhooks"))
	}
	app := found.(*App)
	store := app.engine.store.Load()
	view := strings.Trim(strings.TrimPrefix(r.URL.Path, "/webhooks"), "/")
	if served, err := a.operate(w, r, app, view); served {
		return err
	}
	if served, err := a.detect(w, r, app, view); served {
		return err
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return refuse(http.StatusMethodNotAllowed, fmt.Errorf("%s is not possible here; use GET", r.Method))
	}
	if view == "health" {
		return a.health(w, r, app.engine)
	}
	if part, ok := strings.CutPrefix(view, "queue"); ok && (part == "" || part[0] == '/') {
		return a.queue(w, r, app.engine, strings.TrimPrefix(part, "/"))
	}
	if store == nil {
		return refuse(http.StatusServiceUnavailable, errors.New("the queue is not open"))
	}
	answer, err := a.answer(r, app, store, view)
	switch {
	case errors.Is(err, queue.ErrNotFound):
		return refuse(http.StatusNotFound, err)
	case errors.Is(err, queue.ErrBadCursor), errors.Is(err, errBadQuery):
		return refuse(http.StatusBadRequest, err)
	case err != nil:
		return refuse(http.StatusInternalServerError, err)
	}
	return writeJSON(w, http.StatusOK, answer)
}

func (a adminAPI) answer(r *http.Request, app *App, store queue.History, view string) (any, error) {
	ctx := r.Context()
	if id, ok := strings.CutPrefix(view, "events/"); ok {
		e, err := store.Event(ctx, id)
		if err != nil {
			return nil, err
		}
		return newEventView(e, true), nil
	}
	if view == "status" {
		return a.status(r, app, store)
	}
	filter, page, err := parseQuery(r)
	if err != nil {
		return nil, err
	}
	switch view {
	case "events":
		rows, next, err := store.Events(ctx, filter, page)
		return list(rows, next, func(e event.Event) any { return newEventView(e, false) }), err
	case "deliveries":
		rows, next, err := store.Deliveries(ctx, filter, page)
		return list(rows, next, func(d queue.Delivery) any { return deliveryView{d, d.Key.String()} }), err
	case "attempts":
		rows, next, err := store.Attempts(ctx, filter, page)
		return list(rows, next, func(t queue.Attempt) any { return attemptView{t, string(t.Response)} }), err
	case "unresolved":
		rows, next, err := store.Unresolved(ctx, page)
		return list(rows, next, func(u queue.Unresolved) any { return newUnresolvedView(u) }), err
	case "marks":
		rows, err := store.Pending(ctx, page.Limit)
		return list(rows, "", func(m queue.PendingMark) any { return newMarkView(m) }), err
	}
	return nil, fmt.Errorf("%w: there is no view %q; the views are status, health, events, deliveries, attempts, marks and unresolved",
		queue.ErrNotFound, view)
}

// Status is what GET /webhooks/status answers.
type Status struct {
	// Queue counts what is in the queue.
	Queue queue.Stats `json:"queue"`
	// Dir is the queue's directory, and Durability what a write survives.
	Dir        string `json:"dir"`
	Durability string `json:"durability"`
	// Resources and Endpoints name what is configured.
	Resources []string         `json:"resources"`
	Endpoints []EndpointStatus `json:"endpoints"`
}

// EndpointStatus is an endpoint as operators see it. Of its URL it has the
// scheme and host only: the path is often a secret.
type EndpointStatus struct {
	Name    string   `json:"name"`
	Host    string   `json:"host"`
	Events  []string `json:"events"`
	Pending int      `json:"pending"`
	// Configured is false for an endpoint that has deliveries left and is not
	// in the configuration any more.
	Configured bool `json:"configured"`
}

func (adminAPI) status(r *http.Request, app *App, store queue.History) (any, error) {
	stats, err := store.Stats(r.Context())
	if err != nil {
		return nil, err
	}
	status := Status{
		Queue: stats, Dir: app.dir, Durability: app.Durability,
		Resources: []string{}, Endpoints: []EndpointStatus{},
	}
	for _, resource := range app.resources() {
		status.Resources = append(status.Resources, resource.Name)
	}
	for e := range app.endpoints.All() {
		status.Endpoints = append(status.Endpoints, EndpointStatus{
			Name: e.Name, Host: origin(e.URL), Events: e.Events.Patterns(), Pending: stats.PendingDeliveries[e.Name], Configured: true,
		})
	}
	for name, pending := range stats.PendingDeliveries {
		if _, ok := app.endpoints.Get(name); !ok && pending > 0 {
			status.Endpoints = append(status.Endpoints, EndpointStatus{Name: name, Events: []string{}, Pending: pending})
		}
	}
	return status, nil
}

// Bounds of what is healthy.
const (
	// lagging is how old the oldest mark may be. Most objects are reconciled
	// within milliseconds; one that is not for minutes means that the API
	// cannot be read.
	lagging = 10 * time.Minute
)

// Health is what GET /webhooks/health answers.
type Health struct {
	// Status is "ok" or "failing".
	Status string `json:"status"`
	// Problems say in words what is wrong.
	Problems []string `json:"problems"`
}

func (adminAPI) health(w http.ResponseWriter, r *http.Request, e *engine) error {
	health := Health{Status: "ok", Problems: []string{}}
	problem := func(format string, args ...any) {
		health.Status = "failing"
		health.Problems = append(health.Problems, fmt.Sprintf(format, args...))
	}
	for _, text := range e.problems() {
		problem("%s", text)
	}
	stats, err := healthStats(r, e)
	switch {
	case err != nil && len(health.Problems) == 0:
		problem("the queue cannot be read: %v", err)
	case !stats.OldestMark.IsZero() && time.Since(stats.OldestMark) > lagging:
		problem("an object has waited for %s to be reconciled; see caddy webhooks status", time.Since(stats.OldestMark).Round(time.Second))
	}
	code := http.StatusOK
	if health.Status != "ok" {
		code = http.StatusServiceUnavailable
	}
	return writeJSON(w, code, health)
}

func healthStats(r *http.Request, e *engine) (queue.Stats, error) {
	store := e.store.Load()
	if store == nil {
		return queue.Stats{}, errors.New("it is not open")
	}
	return store.Stats(r.Context())
}

var errBadQuery = errors.New("bad query")

// parseQuery reads the filter and the page of a list.
func parseQuery(r *http.Request) (filter queue.Filter, page queue.Page, err error) {
	for name, values := range r.URL.Query() {
		value := values[len(values)-1]
		switch name {
		case "event":
			filter.EventID = value
		case "type":
			filter.Type = value
		case "endpoint":
			filter.Endpoint = value
		case "status":
			filter.Status = queue.Status(value)
			switch filter.Status {
			case queue.StatusPending, queue.StatusDelivered, queue.StatusDead, queue.StatusSuperseded, queue.StatusCancelled:
			default:
				return filter, page, fmt.Errorf("%w: status is pending, delivered, dead, superseded or cancelled, not %q", errBadQuery, value)
			}
		case "object":
			if filter.Key, err = event.ParseKey(value); err != nil {
				return filter, page, fmt.Errorf("%w: object: %w", errBadQuery, err)
			}
		case "cursor":
			page.Cursor = queue.Cursor(value)
		case "limit":
			page.Limit, err = strconv.Atoi(value)
			if err != nil || page.Limit < 1 || page.Limit > queue.MaxLimit {
				return filter, page, fmt.Errorf("%w: limit is a number from 1 to %d, not %q", errBadQuery, queue.MaxLimit, value)
			}
		default:
			return filter, page, fmt.Errorf("%w: unknown parameter %q", errBadQuery, name)
		}
	}
	if page.Limit == 0 {
		page.Limit = queue.DefaultLimit
	}
	return filter, page, nil
}

func refuse(status int, err error) error {
	return caddy.APIError{HTTPStatus: status, Err: err}
}

func writeJSON(w http.ResponseWriter, status int, value any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(value)
}

// Interface guard
var _ caddy.AdminRouter = (*adminAPI)(nil)
