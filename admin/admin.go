// SPDX-License-Identifier: Apache-2.0

// Package admin is the operators' HTTP API, on Caddy's admin endpoint:
//
//	GET  /webhooks/status        what is in the queue, and the configuration at work
//	GET  /webhooks/health        200 when the queue is open and its work is done, else 503
//	GET  /webhooks/events        events, newest first; /webhooks/events/ID with its payload
//	GET  /webhooks/deliveries    deliveries, newest first
//	GET  /webhooks/attempts      attempts, newest first
//	GET  /webhooks/marks         objects that wait for reconciling
//	GET  /webhooks/unresolved    exchanges that changed something without telling what
//	GET  /webhooks/endpoints     endpoints, and how they stand
//	POST /webhooks/endpoints/NAME/pause, /webhooks/endpoints/NAME/resume
//	GET  /webhooks/coverage      what could be missed
//	GET  /webhooks/queue         the queue as a whole; /webhooks/queue/backup a backup of it
//
// and the verbs of operators, see [deliveryVerb] and [look]. Lists take `limit`
// and `cursor`, and where it applies `event`, `type`, `object`, `endpoint` and
// `status`.
package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/pipeline"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/rules/coverage"
)

// Server answers for one running configuration.
type Server struct {
	// Pipeline is the queue and those who work on it.
	Pipeline *pipeline.Pipeline
	// Durability is what a write survives.
	Durability queue.Durability
	// Resources are the configured resources.
	Resources []Resource
	// Endpoints are the configured endpoints.
	Endpoints *endpoint.Set
	// Uncovered counts unsafe requests that no rule matched.
	Uncovered *coverage.Register
	// Log logs what cannot be answered any more.
	Log *zap.Logger
}

// Resource is what operators are told of a configured resource.
type Resource struct {
	// Name is its name.
	Name string
	// Proven reports whether its Shows can be proven fresh, by a version.
	Proven bool
	// Listed reports whether all its objects can be listed.
	Listed bool
}

// resource returns a configured resource.
func (s *Server) resource(name string) (Resource, bool) {
	for _, r := range s.Resources {
		if r.Name == name {
			return r, true
		}
	}
	return Resource{}, false
}

// handler answers a request. Its errors are Caddy's [caddy.APIError], or those
// that refuse knows.
type handler func(w http.ResponseWriter, r *http.Request) error

// routes returns what answers each request.
func (s *Server) routes() map[string]handler {
	routes := map[string]handler{
		"GET /webhooks/status":                   s.status,
		"GET /webhooks/health":                   s.health,
		"GET /webhooks/events":                   s.events,
		"GET /webhooks/events/{id}":              s.event,
		"GET /webhooks/deliveries":               s.deliveries,
		"GET /webhooks/attempts":                 s.attempts,
		"GET /webhooks/marks":                    s.marks,
		"GET /webhooks/unresolved":               s.unresolved,
		"GET /webhooks/endpoints":                s.endpoints,
		"POST /webhooks/endpoints/{name}/pause":  s.pause,
		"POST /webhooks/endpoints/{name}/resume": s.resume,
		"GET /webhooks/coverage":                 s.coverage,
		"POST /webhooks/look":                    s.look,
		"POST /webhooks/list":                    s.list,
		"POST /webhooks/dismiss":                 s.dismiss,
		"GET /webhooks/queue":                    s.queue,
		"GET /webhooks/queue/backup":             s.backup,
	}
	for name, verb := range deliveryVerbs {
		routes["GET /webhooks/"+name] = s.count(verb)
		routes["POST /webhooks/"+name] = s.act(verb)
	}
	return routes
}

// Serve answers a request. Errors are Caddy's [caddy.APIError].
func (s *Server) Serve(w http.ResponseWriter, r *http.Request) error {
	var err error
	mux := http.NewServeMux()
	for pattern, answer := range s.routes() {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { err = refusal(answer(w, r)) })
	}
	r.URL.Path = "/" + strings.Trim(r.URL.Path, "/")
	if found, pattern := mux.Handler(r); pattern == "" {
		return unrouted(w, r, found)
	}
	mux.ServeHTTP(w, r)
	return err
}

// unrouted turns the plain text by which a [http.ServeMux] refuses a request into
// an error of the admin endpoint.
func unrouted(w http.ResponseWriter, r *http.Request, refuses http.Handler) error {
	recorder := httptest.NewRecorder()
	refuses.ServeHTTP(recorder, r)
	allow := recorder.Header().Get("Allow")
	if allow == "" {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: fmt.Errorf(
			"there is no %s; there are status, health, events, deliveries, attempts, marks, unresolved, endpoints, coverage and queue", r.URL.Path)}
	}
	w.Header().Set("Allow", allow)
	return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("%s is not possible here; use %s", r.Method, allow)}
}

var (
	// errBadQuery is wrapped by errors about a request's parameters.
	errBadQuery = errors.New("bad query")
	// errNotOpen is returned while the queue is not open.
	errNotOpen = errors.New("the queue is not open")
)

// refusal returns an error with the status that it means.
func refusal(err error) error {
	var already caddy.APIError
	switch {
	case err == nil, errors.As(err, &already):
		return err
	case errors.Is(err, queue.ErrNotFound):
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: err}
	case errors.Is(err, queue.ErrBadCursor), errors.Is(err, errBadQuery):
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: err}
	case errors.Is(err, errNotOpen):
		return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: err}
	}
	return caddy.APIError{HTTPStatus: http.StatusInternalServerError, Err: err}
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
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(value)
}
