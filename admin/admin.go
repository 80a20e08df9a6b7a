// SPDX-License-Identifier: Apache-2.0

// Package admin is the operators' HTTP API, on Caddy's admin endpoint:
//
//	GET  /webhooks/status        what is in the queue, and what is configured
//	GET  /webhooks/health        200 when the queue is open and its work is done, else 503
//	GET  /webhooks/events        events, newest first; /webhooks/events/ID with its payload
//	GET  /webhooks/feed          events in the order of their commits, and those to come
//	GET  /webhooks/deliveries    deliveries, newest first
//	GET  /webhooks/attempts      attempts, newest first
//	GET  /webhooks/marks         objects that wait for reconciling
//	GET  /webhooks/unresolved    changes whose object is not known
//	GET  /webhooks/endpoints     endpoints, and how they stand
//	GET  /webhooks/tenants       who has endpoints or keys, and how many
//	GET  /webhooks/snapshots     what endpoints begin with, and how far that is
//	GET  /webhooks/audit         who changed what a tenant has, newest first
//	GET  /webhooks/coverage      what could be missed
//	GET  /webhooks/configuration what is configured, without secrets
//	GET  /webhooks/queue         the queue as a whole; /webhooks/queue/backup a backup of it
//
// and what operators do:
//
//	POST /webhooks/endpoints/NAME/pause, /webhooks/endpoints/NAME/resume
//	POST /webhooks/endpoints/NAME/retry    sends now what waits for a retry
//	POST /webhooks/resend, recover, replay, cancel    act on deliveries; GET counts them
//	POST /webhooks/look          has an object looked at
//	POST /webhooks/list          has all objects of a resource listed
//	POST /webhooks/dismiss       forgets records of changes whose object is not known
//	GET, PATCH, DELETE /webhooks/endpoints/NAME         an endpoint that a tenant has made
//	POST /webhooks/endpoints/NAME/enable, disable, secrets, test
//	GET, POST, DELETE /webhooks/endpoints/NAME/snapshot  what it begins with
//	     /webhooks/tenants/TENANT/…, /webhooks/shared/…  the tenants' API, as the operator
//	GET, POST /webhooks/keys     API keys of a tenant; DELETE /webhooks/keys/ID
//	GET, POST /webhooks/users    users of the dashboard; DELETE /webhooks/users/NAME
//	POST /webhooks/users/NAME/reset    has a user set a password and a second factor anew
//
// Lists take `limit` and `cursor`, and where it applies `event`, `type`,
// `object`, `endpoint`, `status` and `tenant`. What is asked for that does not exist is
// refused. Look, list and feed take `wait`.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/pipeline"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/rules/coverage"
	"github.com/caddy-webhooks/caddy-webhooks/rules/effect"
)

// Server answers for one running configuration.
type Server struct {
	// Pipeline holds the queue and its workers.
	Pipeline *pipeline.Pipeline
	// Durability is what a write survives.
	Durability queue.Durability
	// Resources are the configured resources.
	Resources []Resource
	// Uncovered counts unsafe requests that no rule matched.
	Uncovered *coverage.Register
	// Words returns the words of the configuration that have no effect. Nil means that
	// nobody knows.
	Words func() []effect.Line
	// Tenant answers a request to the API of a tenant's subscribers, as the operator.
	// The path is that of their API. Nil is refused.
	Tenant func(tenant string) http.Handler
	// Configuration returns what is configured, whole. Nil is refused.
	Configuration func() (json.RawMessage, error)
	// Context ends with the configuration: nothing waits longer. Nil never ends.
	Context context.Context
	// Log gets errors that come too late for an answer.
	Log *zap.Logger
}

// Resource is a configured resource, as far as operators see it.
type Resource struct {
	Name string
	// Proven is true if a version proves its Shows fresh.
	Proven bool
	// Listed is true if all its objects can be listed.
	Listed bool
	// Types are the types of its events, as they are written.
	Types []string
}

// resource returns the configured resource of a name, or an error that refuses
// the request.
func (s *Server) resource(name string) (Resource, error) {
	for _, r := range s.Resources {
		if r.Name == name {
			return r, nil
		}
	}
	return Resource{}, fmt.Errorf("%w: there is no resource %q", errBadQuery, name)
}

// handler answers a request. [refusal] gives its errors their status.
type handler func(w http.ResponseWriter, r *http.Request) error

// routes returns the handlers by the patterns of a [http.ServeMux]. A pattern of
// GET matches HEAD, too.
func (s *Server) routes() map[string]handler {
	routes := map[string]handler{
		"GET /webhooks/status":                   s.status,
		"GET /webhooks/health":                   s.health,
		"GET /webhooks/events":                   s.events,
		"GET /webhooks/events/{id}":              s.event,
		"GET /webhooks/feed":                     s.feed,
		"GET /webhooks/deliveries":               s.deliveries,
		"GET /webhooks/attempts":                 s.attempts,
		"GET /webhooks/marks":                    s.marks,
		"GET /webhooks/unresolved":               s.unresolved,
		"GET /webhooks/endpoints":                s.endpoints,
		"POST /webhooks/endpoints/{name}/pause":  s.pause,
		"POST /webhooks/endpoints/{name}/resume": s.resume,
		"POST /webhooks/endpoints/{name}/retry":  s.retry,
		"GET /webhooks/audit":                    s.audits,
		"GET /webhooks/coverage":                 s.coverage,
		"GET /webhooks/configuration":            s.configuration,
		"POST /webhooks/look":                    s.look,
		"POST /webhooks/list":                    s.list,
		"POST /webhooks/dismiss":                 s.dismiss,
		"GET /webhooks/tenants":                  s.tenants,
		"GET /webhooks/snapshots":                s.snapshots,
		"GET /webhooks/keys":                     s.keys,
		"POST /webhooks/keys":                    s.createKey,
		"DELETE /webhooks/keys/{id}":             s.deleteKey,
		"GET /webhooks/users":                    s.users,
		"POST /webhooks/users":                   s.createUser,
		"POST /webhooks/users/{name}/reset":      s.resetUser,
		"DELETE /webhooks/users/{name}":          s.deleteUser,
		"GET /webhooks/queue":                    s.queue,
		"GET /webhooks/queue/backup":             s.backup,
	}
	maps.Copy(routes, s.operated())
	for name, verb := range deliveryVerbs {
		routes["GET /webhooks/"+name] = s.count(verb)
		routes["POST /webhooks/"+name] = s.act(verb)
	}
	return routes
}

// Serve answers a request. Errors are Caddy's [caddy.APIError].
func (s *Server) Serve(w http.ResponseWriter, r *http.Request) error {
	var err error
	mux, routes := http.NewServeMux(), s.routes()
	for pattern, handle := range routes {
		answer := func(w http.ResponseWriter, r *http.Request) { err = refusal(handle(w, r)) }
		mux.HandleFunc(pattern, answer)
		if !strings.HasSuffix(pattern, "...}") {
			mux.HandleFunc(pattern+"/{$}", answer)
		}
	}
	if answer, pattern := mux.Handler(r); pattern == "" {
		return unrouted(w, r, answer, routes)
	}
	mux.ServeHTTP(w, r)
	return err
}

// unrouted returns the error for a request without a route. Answer is what a
// [http.ServeMux] does about it: for a wrong method, it sets the header Allow.
func unrouted(w http.ResponseWriter, r *http.Request, answer http.Handler, routes map[string]handler) error {
	answered := headers{}
	answer.ServeHTTP(answered, r)
	if allow := answered.Header().Get("Allow"); allow != "" {
		w.Header().Set("Allow", allow)
		return refuse(http.StatusMethodNotAllowed, "%s is not possible here; use %s", r.Method, allow)
	}
	var views []string
	for pattern := range routes {
		_, view, _ := strings.Cut(pattern, "/webhooks/")
		views = append(views, view)
	}
	slices.Sort(views)
	return refuse(http.StatusNotFound, "there is no %s; below /webhooks/ there are %s", r.URL.Path, strings.Join(slices.Compact(views), ", "))
}

// headers is a [http.ResponseWriter] that keeps nothing but the headers.
type headers http.Header

func (h headers) Header() http.Header          { return http.Header(h) }
func (headers) Write(body []byte) (int, error) { return len(body), nil }
func (headers) WriteHeader(int)                {}

var (
	// errBadQuery is wrapped by errors about a request's parameters.
	errBadQuery = errors.New("bad query")
	// errNotOpen is returned while the queue is not open.
	errNotOpen = errors.New("the queue is not open")
)

// refuse returns an error that answers a request with a status.
func refuse(status int, format string, args ...any) error {
	return caddy.APIError{HTTPStatus: status, Err: fmt.Errorf(format, args...)}
}

// refusal returns an error with the status that it means. Caddy looks for its
// [caddy.APIError] without unwrapping.
func refusal(err error) error {
	var already caddy.APIError
	status := http.StatusInternalServerError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &already):
		return already
	case errors.Is(err, queue.ErrNotFound), errors.Is(err, emitter.ErrUnknownEndpoint):
		status = http.StatusNotFound
	case errors.Is(err, emitter.ErrNotActive):
		status = http.StatusConflict
	case errors.Is(err, queue.ErrBadCursor), errors.Is(err, errBadQuery):
		status = http.StatusBadRequest
	case errors.Is(err, errNotOpen):
		status = http.StatusServiceUnavailable
	}
	return caddy.APIError{HTTPStatus: status, Err: err}
}

// store returns the open queue.
func (s *Server) store() (queue.Store, error) {
	store := s.Pipeline.Queue()
	if store == nil {
		return nil, errNotOpen
	}
	return store, nil
}

func writeJSON(w http.ResponseWriter, status int, value any) error {
	if t, within := w.(*taken); within {
		t.status, t.value = status, value
		return nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(value)
}
