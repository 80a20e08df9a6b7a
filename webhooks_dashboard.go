// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
	callbackssyntax "github.com/caddy-webhooks/caddy-webhooks/callbacks/syntax"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/password"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/parse"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/syntax"
	"github.com/caddy-webhooks/caddy-webhooks/exchange"
	"github.com/caddy-webhooks/caddy-webhooks/internal/livelog"
	"github.com/caddy-webhooks/caddy-webhooks/metrics"
)

func init() {
	caddy.RegisterModule(new(Dashboard))
}

// accounts holds back who guesses, whatever the configuration.
var accounts = sync.OnceValue(func() *account.Process { return account.NewProcess(password.Recommended, time.Now) })

// Dashboard is a handler that serves subscribers pages on which they manage their own
// endpoints, and see what came of them. It does what the API for subscribers does, within
// the same limits, whether or not there is a `webhooks_api`.
//
// It answers all requests that it gets: give it a site of its own, or `handle_path`.
type Dashboard struct {
	syntax.Dashboard

	server *dashboard.Server
	recent *metrics.Recent
}

// CaddyModule returns the Caddy module information.
func (*Dashboard) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.webhooks_dashboard",
		New: func() caddy.Module { return new(Dashboard) },
	}
}

// Provision makes the server. It touches neither disk nor network.
func (s *Dashboard) Provision(ctx caddy.Context) error {
	if err := s.Check(); err != nil {
		return err
	}
	found, err := ctx.App("webhooks")
	if err != nil {
		return fmt.Errorf("getting the webhooks app: %w", err)
	}
	app := found.(*App)
	app.serve("webhooks_dashboard", s.Dashboard, &callbackssyntax.API{Authorize: []*callbackssyntax.Authorize{{Tenant: s.Tenant}}})
	options := app.subscribersAPI()
	options.Log = livelog.Sparing(ctx.Logger())
	gate, err := s.gate(&options)
	if err != nil {
		return err
	}
	pages := dashboard.Options{API: callbacks.New(options, apiLimits), Gate: gate, FramedBy: s.FramedBy, Base: beneath, Log: options.Log, Client: options.Client}
	if s.Accounts != nil || s.Operators != nil {
		s.recent = counted.StartRecent(app.pipeline)
		pages.Admin, pages.Recent = app.admin, s.recent
	}
	s.server, err = dashboard.New(pages)
	return err
}

// Cleanup ends the counting of what is done in each minute.
func (s *Dashboard) Cleanup() error {
	s.recent.Stop()
	return nil
}

// gate returns what knows who looks at the pages.
func (s *Dashboard) gate(options *callbacks.Options) (dashboard.Gate, error) {
	if s.Accounts == nil {
		claim := placeholder(s.Operators.Placeholder())
		return dashboard.Surrounding(placeholder(s.Tenant), placeholder(s.Name), func(r *http.Request) bool { return s.Operators.Is(claim(r)) }), nil
	}
	pages, err := dashboard.NewTemplates(account.Templates(), time.Now)
	if err != nil {
		return nil, err
	}
	return account.New(account.Options{
		Queue: options.Queue, Sealer: options.Sealer, Renderer: pages, Process: accounts(), Name: s.Accounts.Name, Origin: account.Origin, Client: options.Client, Log: options.Log,
	}), nil
}

// beneath returns the path below which a request's page is. Of a prefix that is the whole
// path, Caddy leaves a slash.
func beneath(r *http.Request) string {
	original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if ok && original.URL != nil && r.URL.Path == "/" && !strings.HasSuffix(original.URL.Path, "/") {
		return original.URL.Path
	}
	return stripped(r)
}

// placeholder returns what a placeholder stands for in a request.
func placeholder(text string) func(r *http.Request) string {
	return func(r *http.Request) string {
		repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
		if !ok {
			return ""
		}
		return repl.ReplaceAll(text, "")
	}
}

// ServeHTTP answers with a page.
func (s *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	exchange.MarkOurs(r)
	s.server.ServeHTTP(w, r)
	return nil
}

// UnmarshalCaddyfile sets up the handler from a Caddyfile, see [parse.Dashboard].
func (s *Dashboard) UnmarshalCaddyfile(d *caddyfile.Dispenser) (err error) {
	s.Dashboard, err = parse.Dashboard(d)
	return err
}

func parseDashboardDirective(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	made := new(Dashboard)
	if err := made.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	return made, nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Dashboard)(nil)
	_ caddy.CleanerUpper          = (*Dashboard)(nil)
	_ caddyhttp.MiddlewareHandler = (*Dashboard)(nil)
	_ caddyfile.Unmarshaler       = (*Dashboard)(nil)
)
