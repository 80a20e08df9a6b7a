// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
	"github.com/caddy-webhooks/caddy-webhooks/callbacks/parse"
	"github.com/caddy-webhooks/caddy-webhooks/callbacks/syntax"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/exchange"
	"github.com/caddy-webhooks/caddy-webhooks/internal/livelog"
	"github.com/caddy-webhooks/caddy-webhooks/pipeline"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/show"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

func init() {
	caddy.RegisterModule(new(SubscribersAPI))
}

// apiLimits hold back who asks too often, whatever the configuration.
var apiLimits = callbacks.NewLimits()

// SubscribersAPI is a handler that serves subscribers the API by which they manage
// their own endpoints.
//
// It answers below the path that a handler before it has stripped, as `handle_path`
// does; without one, or with routes of its own, it answers the paths that it has, and
// passes on all others.
type SubscribersAPI struct {
	// UpstreamRaw is the handler that answers when the API is asked who a caller is,
	// usually a `reverse_proxy` to the API. It is needed if `authorize` asks, and of no
	// use otherwise.
	UpstreamRaw json.RawMessage `json:"upstream,omitempty" caddy:"namespace=http.handlers inline_key=handler"`

	syntax.API

	server *callbacks.Server
	helper *httpcaddyfile.Helper
}

// CaddyModule returns the Caddy module information.
func (*SubscribersAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.webhooks_api",
		New: func() caddy.Module { return new(SubscribersAPI) },
	}
}

// Provision makes the server. It touches neither disk nor network.
func (s *SubscribersAPI) Provision(ctx caddy.Context) error {
	if err := s.Check(s.UpstreamRaw != nil); err != nil {
		return err
	}
	found, err := ctx.App("webhooks")
	if err != nil {
		return fmt.Errorf("getting the webhooks app: %w", err)
	}
	upstream := new(show.Upstream)
	if s.UpstreamRaw != nil {
		module, err := ctx.LoadModule(s, "UpstreamRaw")
		if err != nil {
			return fmt.Errorf("loading upstream: %w", err)
		}
		middleware := module.(caddyhttp.MiddlewareHandler)
		upstream.Handler = caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			return middleware.ServeHTTP(w, r, nowhere)
		})
	}
	app := found.(*App)
	app.serve("webhooks_api", s.API, &s.API)
	options := app.subscribersAPI()
	options.Log = livelog.Sparing(ctx.Logger())
	options.Object = app.object
	if err := s.Serve(&options, app.Subscribers, func(way *syntax.Authorize) callbacks.Authorize { return authorizer(way, upstream) }); err != nil {
		return err
	}
	s.server = callbacks.New(options, apiLimits)
	return nil
}

// serve notes a handler for subscribers as it is declared, in which ways its callers are
// known, and of whose objects its routes tell.
func (a *App) serve(name string, declared any, api *syntax.API) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.served[name] = append(a.served[name], declared)
	for _, way := range api.Ways() {
		a.shared, a.tenanted, a.keyed = a.shared || way.Shared, a.tenanted || !way.Shared, a.keyed || way.Key
	}
	a.objectRoutes = append(a.objectRoutes, api.ObjectRoutes()...)
}

// checkOwners refuses a `shared` beside resources whose objects have owners: everybody
// would get the events of all of them. It warns of resources without owners, whose
// events no tenant gets.
func (a *App) checkOwners() error {
	a.mu.Lock()
	shared, tenanted := a.shared, a.tenanted
	a.mu.Unlock()
	for _, r := range a.resources() {
		switch {
		case shared && r.Tenant != "":
			return fmt.Errorf("webhooks_api: authorize … shared gives every caller the events of all objects, but those of %s have owners (tenant %s); "+
				"find out who asks, as `authorize GET /me tenant id`, or leave the resource's tenant out", r.Name, r.Tenant)
		case tenanted && r.Tenant == "":
			a.log.Warn("no tenant gets the events of a resource: nothing says whose its objects are", zap.String("resource", r.Name),
				zap.String("remedy", "say where the owner stands in its Show, as `tenant owner.id`"))
		}
	}
	return nil
}

// checkObjects reports a route about an object that its path does not name.
func (a *App) checkObjects() error {
	for _, route := range a.objectRoutes {
		r, err := a.resource(route.Object)
		if err == nil {
			err = route.CheckObject(r.Show.Names)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// resource returns a resource by its name.
func (a *App) resource(name string) (*rules.Resource, error) {
	for _, r := range a.resources() {
		if r.Name == name {
			return r, nil
		}
	}
	return nil, fmt.Errorf("webhooks_api: there is no resource %s, which a route is about", name)
}

// object returns the object of a resource that has names' values in its key, and the
// endpoint of the receivers that requests name for it.
func (a *App) object(resource string, value func(name string) string) (key event.Key, receiver string, err error) {
	r, err := a.resource(resource)
	if err != nil {
		return key, "", err
	}
	parts := make([]string, len(r.Show.Names))
	for i, name := range r.Show.Names {
		parts[i] = value(name)
	}
	key, err = r.NewKey(parts...)
	return key, pipeline.CallbackPrefix + resource, err
}

// subscribersAPI returns what an API for subscribers needs of the app.
func (a *App) subscribersAPI() callbacks.Options {
	return callbacks.Options{
		Queue: a.pipeline.Queue,
		Emitter: func() callbacks.Emitter {
			if working := a.pipeline.Emitter(); working != nil {
				return working
			}
			return nil
		},
		Sealer: func() subscribers.Sealer {
			if keyring := a.pipeline.Keyring(); keyring != nil {
				return keyring
			}
			return nil
		},
		Applied: a.pipeline.Applied, Endpoints: a.pipeline.Endpoints,
		Policy: a.Subscribers.Policy(), Require: a.Subscribers.Required(), Unverified: a.Subscribers.Unverified(),
		Prober:   &callbacks.Receivers{Transport: func(name string) callbacks.Transport { return a.transport.Load().For(name) }, Template: a.template},
		Template: a.template, Keyed: func() bool { a.mu.Lock(); defer a.mu.Unlock(); return a.keyed },
		Client: func(r *http.Request) string {
			address, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
			return address
		},
		Base: stripped, Ending: caddy.Exiting, EventTypes: a.catalogue.Types, Learned: a.catalogue.Schema, Addresses: a.Egress.addresses(),
	}
}

// stripped returns the part of a request's path that handlers before this one have
// stripped.
func stripped(r *http.Request) string {
	original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok || original.URL == nil || !strings.HasSuffix(original.URL.Path, r.URL.Path) {
		return ""
	}
	return strings.TrimSuffix(original.URL.Path, r.URL.Path)
}

// authorizer returns one way to find out who asks.
func authorizer(way *syntax.Authorize, upstream *show.Upstream) callbacks.Authorize {
	switch {
	case way.Key:
		return callbacks.ByKey(time.Now)
	case !way.Asks():
		tenant := placeholder(way.Tenant)
		return callbacks.Surrounding(func(r *http.Request) (string, error) { return tenant(r), nil })
	}
	asker := &callbacks.Asker{Path: way.Path, Tenant: way.Tenant, Shared: way.Shared, Now: time.Now}
	asker.Ask = func(ctx context.Context, caller *http.Request, path string, credential http.Header) (callbacks.Answered, error) {
		front := show.Front{Host: caller.Host, Scheme: "http"}
		if caller.TLS != nil {
			front.Scheme = "https"
		}
		asked := *upstream
		asked.Fronts = show.NewFronts()
		asked.Fronts.Configure(front, true)
		answer, err := asked.Read(ctx, show.Request{Method: way.Method, Path: path, Header: credential})
		return callbacks.Answered{Status: answer.Status, Header: answer.Header, Body: answer.Body}, err
	}
	return asker.Authorize
}

// ServeHTTP answers what is the API's.
func (s *SubscribersAPI) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if (stripped(r) == "" || len(s.Routes) > 0) && !s.server.Has(r.URL.EscapedPath()) {
		return next.ServeHTTP(w, r)
	}
	exchange.MarkOurs(r)
	s.server.ServeHTTP(w, r)
	return nil
}

// UnmarshalCaddyfile sets up the handler from a Caddyfile. Syntax:
//
//	webhooks_api [<matcher>] {
//	    upstream  <upstreams...> {
//	        # the options of reverse_proxy
//	    }
//	    # see parse.API
//	}
func (s *SubscribersAPI) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	if d.NextArg() {
		return d.Errf("unexpected %q after webhooks_api; its options stand in a block", d.Val())
	}
	lines := make(parse.Lines)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch word := d.Val(); {
		case word == "upstream" && s.UpstreamRaw != nil:
			return d.Err("upstream stands twice; keep one of them")
		case word == "upstream":
			proxied := &Handler{helper: s.helper}
			if err := proxied.unmarshalUpstream(d); err != nil {
				return err
			}
			s.UpstreamRaw = proxied.UpstreamRaw
		default:
			if err := parse.API(d, &s.API, lines); err != nil {
				return err
			}
		}
	}
	return lines.Locate(d, s.Check(s.UpstreamRaw != nil))
}

func parseAPIDirective(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	api := &SubscribersAPI{helper: &h}
	if err := api.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	return api, nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*SubscribersAPI)(nil)
	_ caddyhttp.MiddlewareHandler = (*SubscribersAPI)(nil)
	_ caddyfile.Unmarshaler       = (*SubscribersAPI)(nil)
)
