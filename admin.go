// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
	"github.com/caddy-webhooks/caddy-webhooks/internal/livelog"
	"github.com/caddy-webhooks/caddy-webhooks/rules/coverage"
	"github.com/caddy-webhooks/caddy-webhooks/rules/effect"
)

func init() {
	caddy.RegisterModule(adminAPI{})
}

// uncovered counts unsafe requests that no rule matched. Like the metrics, it
// lives as long as the process.
var uncovered = coverage.New(nil)

// adminAPI puts the operators' API on Caddy's admin endpoint.
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

func (adminAPI) serve(w http.ResponseWriter, r *http.Request) error {
	// Admin routes are provisioned before the apps, and stay when a new
	// configuration fails: so the app is looked up for every request.
	found, err := caddy.ActiveContext().AppIfConfigured("webhooks")
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: errors.New("the running configuration has no webhooks")}
	}
	return found.(*App).admin().Serve(w, r)
}

// words returns the words without effect, with the latest counts.
func (a *App) words() []effect.Line {
	a.compareUnmatched()
	return a.withoutEffect()
}

// admin returns the operators' API of this configuration.
func (a *App) admin() *admin.Server {
	server := &admin.Server{
		Pipeline: a.pipeline, Durability: a.durability, Uncovered: uncovered, Words: a.words, Context: a.ctx, Log: livelog.New("engine"),
	}
	server.Tenant = func(tenant string) http.Handler { return callbacks.New(a.operatorsAPI(tenant), callbacks.NoLimits()) }
	server.Configuration = a.configuration
	for _, r := range a.resources() {
		resource := admin.Resource{Name: r.Name, Proven: r.Version != "" || r.ETag, Listed: r.List != nil}
		for _, trigger := range r.Triggers {
			resource.Types = append(resource.Types, trigger.Type.String())
		}
		server.Resources = append(server.Resources, resource)
	}
	return server
}

// configuration returns what is in force, whole: the app, and the handlers that watch.
func (a *App) configuration() (json.RawMessage, error) {
	handlers := make([]json.RawMessage, len(a.handlers))
	for i, h := range a.handlers {
		handlers[i] = h.declared
	}
	all := map[string]any{"webhooks": a, "handlers": handlers}
	a.mu.Lock() // once the configuration runs, nothing is added
	defer a.mu.Unlock()
	for name, of := range a.served {
		all[name] = of
	}
	return json.Marshal(all)
}

// operatorsAPI returns what the operator's way to the API of a tenant needs. It is in our
// own shape, whatever the tenants' is.
func (a *App) operatorsAPI(tenant string) callbacks.Options {
	options := a.subscribersAPI()
	options.Authorize = []callbacks.Authorize{callbacks.AsOperator(tenant)}
	options.Log = livelog.New("engine")
	options.Named = true
	options.Client = func(r *http.Request) string { return r.RemoteAddr }
	base := "/webhooks/shared"
	if tenant != "" {
		base = "/webhooks/tenants/" + url.PathEscape(tenant)
	}
	options.Base = func(*http.Request) string { return base }
	return options
}

// Interface guard
var _ caddy.AdminRouter = (*adminAPI)(nil)
