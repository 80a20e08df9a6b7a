// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/tidwall/gjson"
	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/caddy-webhooks/caddy-webhooks/exchange"
	"github.com/caddy-webhooks/caddy-webhooks/internal/livelog"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

func init() {
	caddy.RegisterModule(new(Handler))
}

// Defaults of a Handler.
const (
	defaultUpstreamTimeout = 30 * time.Second
	defaultCapture         = 1 << 20
	defaultMaxShows        = 256
	defaultLookRate        = 10
)

// What a Handler does when the queue fails.
const (
	onQueueErrorPass = "pass"
	onQueueErrorFail = "fail"
)

// Handler watches the exchanges that pass through it to an HTTP API, and notes
// which objects they changed. It changes nothing about them: put it in front
// of the `reverse_proxy` that leads to the API.
//
// It needs the `webhooks` app, which holds the queue and the endpoints.
type Handler struct {
	// UpstreamRaw is the handler that answers when an object's Show is read in
	// the background, usually a `reverse_proxy` to the API with the operator's
	// credential. Requests carry the Host and scheme of clients' requests.
	// Required.
	UpstreamRaw json.RawMessage `json:"upstream,omitempty" caddy:"namespace=http.handlers inline_key=handler"`

	// UpstreamTimeout is how long after a request has ended without an answer
	// the API may still do what it was asked. An object whose change is
	// uncertain is reconciled once more after this time. Default: 30s.
	UpstreamTimeout caddy.Duration `json:"upstream_timeout,omitempty"`

	// Capture is how much of a response body is copied to find out which
	// object it is about, in bytes. Default: 1048576 (1 MiB).
	Capture int64 `json:"capture,omitempty"`

	// OnQueueError says what to do with a request that may change something
	// when the queue cannot note it: `pass` it on and count the gap, or
	// `fail` it with status 503 before the API sees it. Default: `pass`.
	OnQueueError string `json:"on_queue_error,omitempty"`

	// MaxShows is how many Shows are read from the API at once at most. It is asked
	// for as many as its clients have exchanges under way that rules match (the
	// maximum of the last seconds), and 16 at least; for fewer while it becomes slower
	// by that; and while it fails, for one at a time until it answers again. What no
	// confirmed exchange asked for gets half of 16 places. As many connections to the
	// API are kept, unless the upstream's transport says how many. Default: 256.
	MaxShows int `json:"max_shows,omitempty"`

	// LookRate is how many Shows a second are read at most that no exchange
	// asked for: for `watch`, for `list`, and after a passing Show that differs
	// from what is known. As many again are read for exchanges whose outcome is
	// unknown, once all that the API has confirmed is read. Default: 10.
	LookRate float64 `json:"look_rate,omitempty"`

	// MethodOverride lists where a POST request may say which method it stands
	// for, such as `header:X-HTTP-Method-Override` or `request:_method`.
	// Default: nowhere.
	MethodOverride []string `json:"method_override,omitempty"`

	// Batch lists the paths of requests that hold others, such as `/odata/$batch`:
	// OData's batches (multipart/mixed or JSON), and atomic operations of JSON:API.
	// Each of the requests within is matched as if it had been sent alone. A batch
	// waits until it is read, up to `capture`. Default: none.
	Batch []string `json:"batch,omitempty"`

	// Ignore lists requests that change nothing, although their methods may, such as
	// `POST /login`: where no declared rule is about them, they do not count as
	// unmatched, and conventional rules leave them alone. Default: none.
	Ignore []*syntax.Ignored `json:"ignore,omitempty"`

	// Resources are the kinds of objects that are watched.
	Resources []*syntax.Resource `json:"resources,omitempty"`

	rules     *rules.Set
	overrides []rules.Value
	upstream  *show.Upstream
	clients   *reconcile.Clients
	frontsKey string // in fronts, until Cleanup
	watcher   *exchange.Watcher
	// declared is the configuration as it was given; Caddy forgets the raw
	// upstream once it is loaded.
	declared []byte
	// helper is set while a Caddyfile is parsed: reverse_proxy needs it.
	helper *httpcaddyfile.Helper
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.webhooks",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision compiles the rules and the route to the API. It touches neither
// disk nor network.
func (h *Handler) Provision(ctx caddy.Context) error {
	var err error
	if h.declared, err = h.withoutLines(); err != nil {
		return err
	}
	h.setDefaults()
	if err := h.provisionUpstream(ctx); err != nil {
		return err
	}
	if err := h.provisionFronts(); err != nil {
		return err
	}
	if err := h.provisionRules(ctx); err != nil {
		return err
	}
	app, err := ctx.App("webhooks")
	if err != nil {
		return fmt.Errorf("getting the webhooks app: %w", err)
	}
	h.clients = new(reconcile.Clients)
	h.tellWords()
	h.watch(ctx.Logger(), app.(*App).sink(h.LookRate))
	return app.(*App).register(h)
}

// withoutLines returns the configuration of the handler without the lines on which it is
// written: two sites may have the same.
func (h *Handler) withoutLines() ([]byte, error) {
	bare := *h
	bare.Resources = nil
	for _, r := range h.Resources {
		own := *r
		own.Lines = nil
		bare.Resources = append(bare.Resources, &own)
	}
	return json.Marshal(&bare)
}

func (h *Handler) setDefaults() {
	if h.UpstreamTimeout == 0 {
		h.UpstreamTimeout = caddy.Duration(defaultUpstreamTimeout)
	}
	if h.Capture == 0 {
		h.Capture = defaultCapture
	}
	if h.OnQueueError == "" {
		h.OnQueueError = onQueueErrorPass
	}
	if h.MaxShows == 0 {
		h.MaxShows = defaultMaxShows
	}
	if h.LookRate == 0 {
		h.LookRate = defaultLookRate
	}
}

func (h *Handler) provisionUpstream(ctx caddy.Context) error {
	if h.UpstreamRaw == nil {
		return fmt.Errorf("upstream is missing: say where Shows are read, as `upstream 127.0.0.1:9000`")
	}
	module, err := ctx.LoadModule(h, "UpstreamRaw")
	if err != nil {
		return fmt.Errorf("loading upstream: %w", err)
	}
	h.keepConnections(module)
	middleware := module.(caddyhttp.MiddlewareHandler)
	h.upstream = &show.Upstream{
		Handler: caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			return middleware.ServeHTTP(w, r, nowhere)
		}),
	}
	return nil
}

// keepConnections has as many connections to the API kept as Shows may be read at once,
// unless the configuration says how many. Caddy keeps 32, and would close and dial the
// others again and again. Where changes are many, a tenth of Caddy's time went into
// dialling and closing, for these and for the connections of clients' requests.
func (h *Handler) keepConnections(upstream any) {
	proxy, ok := upstream.(*reverseproxy.Handler)
	if !ok || gjson.GetBytes(h.declared, "upstream.transport.keep_alive.max_idle_conns_per_host").Exists() {
		return
	}
	if transport, ok := proxy.Transport.(*reverseproxy.HTTPTransport); ok {
		transport.Transport.MaxIdleConnsPerHost = max(transport.Transport.MaxIdleConnsPerHost, h.MaxShows)
	}
}

// nowhere ends a route that answered nothing: an upstream that is no proxy and
// passes the request on.
var nowhere = caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
	return caddyhttp.Error(http.StatusBadGateway, fmt.Errorf("the upstream handler did not answer"))
})

// watch makes the watcher of the handler's exchanges. Sink says where it takes its
// findings.
func (h *Handler) watch(log *zap.Logger, sink exchange.Options) {
	h.watcher = exchange.New(h.watchOptions(log, sink))
}

// watchOptions adds the handler's configuration to a sink.
func (h *Handler) watchOptions(log *zap.Logger, sink exchange.Options) exchange.Options {
	sink.Rules = h.rules
	if h.clients != nil {
		sink.Clients = h.clients
	}
	sink.Unmatched = h.unmatched
	sink.UnconfirmedRate = h.LookRate
	sink.UpstreamTimeout = time.Duration(h.UpstreamTimeout)
	sink.Capture = h.Capture
	sink.Refuse = h.OnQueueError == onQueueErrorFail
	sink.Logger = livelog.Sparing(log)
	sink.Hosts = namedHosts(h.declared)
	if h.upstream != nil && h.upstream.Fronts != nil {
		sink.Confirmed = h.upstream.Fronts.Confirm
	}
	return sink
}

// Validate checks what Provision has not.
func (h *Handler) Validate() error {
	switch {
	case h.OnQueueError != onQueueErrorPass && h.OnQueueError != onQueueErrorFail:
		return fmt.Errorf("on_queue_error is pass or fail, not %q", h.OnQueueError)
	case h.UpstreamTimeout < 0:
		return fmt.Errorf("upstream_timeout must not be negative")
	case h.Capture < 0:
		return fmt.Errorf("capture must not be negative")
	case h.MaxShows < 0:
		return fmt.Errorf("max_shows must not be negative")
	case h.LookRate < 0:
		return fmt.Errorf("look_rate must not be negative")
	case len(h.Resources) == 0:
		return fmt.Errorf("no resource is declared: add one, as `resource items`")
	}
	return nil
}

// ServeHTTP watches the exchanges that a rule matches and leaves all others
// alone.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return h.watcher.Serve(w, h.request(r), next)
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.Validator             = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
