// SPDX-License-Identifier: Apache-2.0

// Package callbacks is the HTTP API by which subscribers manage their own endpoints,
// and see what came of them:
//
//	GET POST                  /endpoints
//	GET PUT PATCH DELETE      /endpoints/{id}
//	POST                      /endpoints/{id}/pause, resume, test
//	POST                      /endpoints/{id}/secrets            rotates
//	DELETE                    /endpoints/{id}/secrets/{secret}   revokes
//	GET                       /endpoints/{id}/deliveries, filtered
//	GET POST                  /endpoints/{id}/recover, replay    GET counts
//	GET                       /endpoints/{id}/feed, /feed
//	GET POST DELETE           /endpoints/{id}/snapshot           starts again, cancels
//	GET                       /deliveries, /deliveries/{id}, /deliveries/{id}/request
//	POST                      /deliveries/{id}/resend
//	GET                       /events, /events/{id}, /events/{id}/payload, /events/{id}/previous
//	GET                       /why, /filter
//	GET POST                  /keys
//	GET DELETE                /keys/{id}
//	GET                       /types, /types/{type}, /addresses, /openapi.json
//	POST                      /types/{type}/echo
//	GET                       /me, /audit
//
// or in another shape, which a configuration says: paths, methods and the names of
// members, see [Options].
//
// It knows no Caddy: a handler at the top level serves it. Who asks is found by
// authentication alone: a path that names a tenant must name the caller's own, and what is
// another tenant's is answered like what is not there.
package callbacks

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/catalogue"
	"github.com/caddy-webhooks/caddy-webhooks/callbacks/shape"
	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// Options holds what a Server needs. Queue, Sealer and Prober are required.
type Options struct {
	// Queue returns the open queue, nil while it is not open.
	Queue func() queue.Store
	// Emitter returns the emitter of the open queue, nil while it is not open.
	// Default: nothing is known of how endpoints fare.
	Emitter func() Emitter
	// Sealer returns what seals endpoints, nil while there is no key.
	Sealer func() subscribers.Sealer
	// Applied waits until deliveries go by the endpoints as they are stored. Default: it
	// waits for nothing.
	Applied func(ctx context.Context) error
	// Template holds what is not a subscriber's to say of an endpoint, see
	// [subscribers.Endpoint.Resolve].
	Template endpoint.Endpoint
	// Policy says which endpoints a tenant may have, and Require which members an
	// endpoint must have: label, url, events.
	Policy  subscribers.Policy
	Require []string
	// Prober tries receivers. With Unverified, endpoints are made and changed
	// without a test.
	Prober     Prober
	Unverified bool
	// Authorize finds out who asks. The first that knows the caller counts; there
	// must be one.
	Authorize []Authorize
	// Routes are those that are served in place of ours, with Shapes by their things,
	// and TypeNames, what types are called. Default: ours.
	Routes    []Route
	Shapes    map[string]*shape.Shape
	TypeNames shape.Types
	// Object returns the object of a resource that the names of a route's path mean, and
	// the endpoint whose receivers requests name, if that has its events. It is needed if
	// a route is about one.
	Object func(resource string, value func(name string) string) (key event.Key, receiver string, err error)
	// Endpoints returns the endpoints that events are routed to, those that stand in the
	// configuration for a tenant among them. Default: there are none.
	Endpoints func() *endpoint.Set
	// Named, for the operator, lets samples be sent to those that stand in the configuration,
	// too.
	Named bool
	// EventTypes returns the types of events that there are, nil before that is known.
	// Default: there are none.
	EventTypes func() *catalogue.Types
	// Learned returns what was learned of the payloads of what rules make. Default:
	// nothing was.
	Learned func(ctx context.Context, made []catalogue.Made) (catalogue.Schema, error)
	// Addresses are those from which deliveries come. Default: it is not known.
	Addresses []string
	// Keyed reports whether an API of this process takes the keys that are made here.
	// Default: one does.
	Keyed func() bool
	// Security says how callers are known, for the description of the API.
	Security []catalogue.SecurityScheme
	// Client returns the address from which a request came. Default: the
	// connection's.
	Client func(r *http.Request) string
	// Base returns the path below which clients reach the API, for links. Default: "".
	Base func(r *http.Request) string
	// AuditFor is how long it is kept who changed what. Default: [subscribers.DefaultAuditFor].
	AuditFor time.Duration
	// Ending reports whether the process is about to end: nothing waits then, as
	// servers end only when all their requests have. Default: it never is.
	Ending func() bool
	// Now is the clock. Default: [time.Now].
	Now func() time.Time
	// Log gets what is wrong on our side. Default: none.
	Log *zap.Logger
}

// Emitter is the part of the emitter that knows how endpoints fare.
type Emitter interface {
	// Standing returns how an endpoint stands, false if nothing is delivered to it
	// by this process.
	Standing(name string) (emitter.Standing, bool)
	// Resume has an endpoint get deliveries that was disabled.
	Resume(ctx context.Context, name string) error
}

func (o Options) withDefaults() Options {
	if o.Emitter == nil {
		o.Emitter = func() Emitter { return nil }
	}
	if o.Applied == nil {
		o.Applied = func(context.Context) error { return nil }
	}
	if o.Endpoints == nil {
		o.Endpoints = func() *endpoint.Set { return nil }
	}
	if o.EventTypes == nil {
		none := new(catalogue.Types)
		o.EventTypes = func() *catalogue.Types { return none }
	}
	if o.Learned == nil {
		o.Learned = func(context.Context, []catalogue.Made) (catalogue.Schema, error) { return catalogue.Schema{}, nil }
	}
	if o.Keyed == nil {
		o.Keyed = func() bool { return true }
	}
	if o.Client == nil {
		o.Client = func(r *http.Request) string {
			host, _, err := net.SplitHostPort(r.RemoteAddr)
			if err != nil {
				return r.RemoteAddr
			}
			return host
		}
	}
	if o.Base == nil {
		o.Base = func(*http.Request) string { return "" }
	}
	if o.AuditFor == 0 {
		o.AuditFor = subscribers.DefaultAuditFor
	}
	if o.Ending == nil {
		o.Ending = func() bool { return false }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	return o
}

// Server answers for one running configuration. Use [New].
type Server struct {
	options Options
	routes  []served
	// ours are the routes in our own shape, served or not: they are described.
	ours   []route
	limits *Limits
}

// New returns a server. The limits are those of the process: a new configuration goes
// on with what the old one has counted.
func New(options Options, limits *Limits) *Server {
	s := &Server{options: options.withDefaults(), limits: limits, ours: slices.Concat(endpointRoutes, historyRoutes, catalogueRoutes, accountRoutes)}
	if len(options.Routes) > 0 {
		s.routes = s.shapedRoutes()
		return s
	}
	for _, rt := range s.ours {
		s.routes = append(s.routes, serve(rt))
	}
	return s
}

// Has reports whether the API has something at an escaped path.
func (s *Server) Has(path string) bool {
	return slices.ContainsFunc(s.routes, func(at served) bool { return at.parsed.Matches(path) })
}

// call is one request of a caller who is known.
type call struct {
	*Server
	w      http.ResponseWriter
	r      *http.Request
	store  queue.Store
	book   *subscribers.Book
	caller Caller
	values map[string]string
	// shaped is the route's, nil if it is one of ours.
	shaped *shaped
	now    time.Time
	// pending is the request with its Idempotency-Key, nil without one, and doing what
	// is done to an endpoint.
	pending *pending
	doing   doing
	// run is what a new endpoint begins with, nil for what happens from now on.
	run *subscribers.Run
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	found := match(s.routes, r.URL.EscapedPath())
	if len(found) == 0 {
		s.refuse(w, r, notFound.problem("there is nothing at this path"))
		return
	}
	at, do := found.of(r.Method)
	switch {
	case r.Method == http.MethodOptions:
		w.Header().Set("Allow", found.allow())
		s.write(w, r, http.StatusNoContent, "", nil)
		return
	case do == nil:
		w.Header().Set("Allow", found.allow())
		s.refuse(w, r, wrongMethod.problem("use one of %s", found.allow()))
		return
	}
	a, err := s.answer(w, r, at, do)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.reply(w, r, a)
}

// answer does what a request asks for, if its caller may.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, at *matched, do action) (*answer, error) {
	c, err := s.begin(w, r, at)
	if err != nil {
		return nil, err
	}
	if c.caller, err = s.authorize(w, r, at, c.store, c.now); err != nil {
		return nil, err
	}
	if tenant, named := at.values[shape.NameTenant]; named && tenant != c.caller.Tenant && !at.ofObject() {
		return nil, queue.ErrNotFound
	}
	if c.shaped != nil {
		return c.shaped.do(c, do)
	}
	return do(c)
}

// begin returns the call of a request whose caller is not known yet.
func (s *Server) begin(w http.ResponseWriter, r *http.Request, at *matched) (*call, error) {
	c := &call{Server: s, w: w, r: r, values: at.values, shaped: at.shaped, now: s.options.Now(), store: s.options.Queue()}
	sealer := s.options.Sealer()
	if c.store == nil || sealer == nil {
		return nil, queue.ErrNotOpen
	}
	for name, value := range at.values {
		r.SetPathValue(name, value)
	}
	c.book = &subscribers.Book{Store: c.store, Sealer: sealer, Policy: s.options.Policy, Now: s.options.Now, With: c.noted}
	return c, nil
}

// link returns the path of something of the API, as clients reach it.
func (c *call) link(path string) string {
	return strings.TrimSuffix(c.options.Base(c.r), "/") + path
}
