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
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/deadline"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
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
	defaultMaxShows        = 16
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
	// credential. Required.
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

	// MaxShows is how many Shows are read from the API at once. Those
	// that no exchange asked for get half of the places at most. An API that
	// fails is asked for one at a time until it answers again. Default: 16.
	MaxShows int `json:"max_shows,omitempty"`

	// LookRate is how many Shows a second are read at most that no exchange
	// asked for: by `watch`, by `list` and by what passing Shows let suspect.
	// Default: 10.
	LookRate float64 `json:"look_rate,omitempty"`

	// MethodOverride lists where a POST request may say which method it stands
	// for, such as `header:X-HTTP-Method-Override` or `request:_method`.
	// Default: nowhere.
	MethodOverride []string `json:"method_override,omitempty"`

	// Resources are the kinds of objects that are watched.
	Resources []*syntax.Resource `json:"resources,omitempty"`

	queue     intentQueue
	hops      func(header string) string
	log       *zap.Logger
	rules     *rules.Set
	overrides []rules.Value
	upstream  *show.Upstream
	loans     *loans
	learner   *learner
	// deadlines limits waiting for the queue.
	deadlines *deadline.Pool
	// declared is the configuration as it was given; Caddy forgets the raw
	// upstream once it is loaded.
	declared []byte
	// helper is there while a Caddyfile is parsed: reverse_proxy needs it.
	helper *httpcaddyfile.Helper
}

// intentQueue is what a Handler needs of the app.
type intentQueue interface {
	// noteIntent records durably that an exchange may change something.
	noteIntent(ctx context.Context, intent queue.Intent) (queue.IntentID, error)
	// resolveIntent closes an intent and marks its objects. It does not fail:
	// what the queue cannot take now it is offered again, or counted as a gap.
	resolveIntent(ctx context.Context, resource string, id queue.IntentID, resolution queue.Resolution, durable bool)
	// sealCallback checks a receiver that a request named, and seals it.
	sealCallback(resource string, named namedReceiver) ([]byte, error)
	// sight takes a Show that passed, to compare it when there is time.
	sight(r *rules.Resource, passed sighting)
	// unmatched notes an unsafe request that no rule matches.
	unmatched(method, path string)
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
	h.log = sparing(ctx.Logger())
	var err error
	if h.declared, err = json.Marshal(h); err != nil {
		return err
	}
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
	if err := h.provisionUpstream(ctx); err != nil {
		return err
	}
	matchers, err := h.provisionMatchers(ctx)
	if err != nil {
		return err
	}
	if err := h.compile(matchers); err != nil {
		return err
	}
	app, err := ctx.App("webhooks")
	if err != nil {
		return fmt.Errorf("getting the webhooks app: %w", err)
	}
	h.queue, h.hops = app.(*App), app.(*App).hopsOf
	return app.(*App).register(h)
}

func (h *Handler) provisionUpstream(ctx caddy.Context) error {
	if h.UpstreamRaw == nil {
		return fmt.Errorf("upstream is missing: say where Shows are read, as `upstream 127.0.0.1:9000`")
	}
	module, err := ctx.LoadModule(h, "UpstreamRaw")
	if err != nil {
		return fmt.Errorf("loading upstream: %w", err)
	}
	middleware := module.(caddyhttp.MiddlewareHandler)
	h.upstream = &show.Upstream{
		Handler: caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			return middleware.ServeHTTP(w, r, nowhere)
		}),
	}
	return nil
}

// provisionMatchers loads the matchers that narrow rules.
func (h *Handler) provisionMatchers(ctx caddy.Context) (rules.Matchers, error) {
	matchers := make(rules.Matchers)
	for _, r := range h.Resources {
		for _, rule := range r.Rules {
			if rule.MatchRaw == nil {
				continue
			}
			sets, err := ctx.LoadModule(rule, "MatchRaw")
			if err != nil {
				return nil, fmt.Errorf("resource %s: %s %s: match: %w", r.Name, rule.Kind, rule, err)
			}
			var loaded caddyhttp.MatcherSets
			if err := loaded.FromInterface(sets); err != nil {
				return nil, fmt.Errorf("resource %s: %s %s: match: %w", r.Name, rule.Kind, rule, err)
			}
			matchers[rule] = loaded
		}
	}
	return matchers, nil
}

// compile compiles the rules.
func (h *Handler) compile(matchers rules.Matchers) error {
	var err error
	if h.rules, err = rules.Compile(h.Resources, matchers); err != nil {
		return err
	}
	if h.overrides, err = rules.ParseValues(h.MethodOverride); err != nil {
		return fmt.Errorf("method_override: %w", err)
	}
	for _, v := range h.overrides {
		if !v.InRequest() || v.Source == rules.FromPath {
			return fmt.Errorf("method_override: %s is no place in a request; write header:NAME, query:NAME or request:PATH", v.Text)
		}
	}
	h.loans = newLoans()
	h.deadlines = deadline.New(context.Background(), queuePatience)
	h.learner = newLearner(h)
	return nil
}

// missedTouch tells the operator of other objects that an exchange changed, and
// that nothing names.
func (h *Handler) missedTouch(r *rules.Rule, err error) {
	metrics.unresolved.WithLabelValues(r.Resource.Name).Inc()
	h.log.Warn("an exchange touched objects that nothing names", zap.String("rule", r.Text), zap.Error(err))
}

// nowhere ends a route that answered nothing: an upstream that is no proxy and
// passes the request on.
var nowhere = caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
	return caddyhttp.Error(http.StatusBadGateway, fmt.Errorf("the upstream handler did not answer"))
})

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
// alone. CONNECT asks for a tunnel, and what flows in one is no exchange. A
// request with an Upgrade is one: the API may decline and just do what it is
// asked, as it does when a client offers h2c with all that it sends.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.Method == http.MethodConnect {
		return next.ServeHTTP(w, r)
	}
	request := rules.Request{HTTP: r, Method: r.Method, Limit: h.Capture}
	if r.Method == http.MethodPost && len(h.overrides) > 0 {
		h.override(&request)
	}
	var found rules.Match
	if h.rules.Tree.Find(&request, &found) {
		return h.watch(w, next, request, found)
	}
	if rules.IsSafe(request.Method) {
		return h.learner.pass(w, &request, next)
	}
	h.queue.unmatched(request.Method, r.URL.Path)
	return next.ServeHTTP(w, r)
}

// override takes the method that a request says it stands for.
func (h *Handler) override(request *rules.Request) {
	for _, v := range h.overrides {
		if method := strings.ToUpper(request.Text(v)); isMethod(method) {
			request.Method = method
			return
		}
	}
}

// watch passes an exchange on, with an intent noted before and resolved after.
func (h *Handler) watch(w http.ResponseWriter, next caddyhttp.Handler, request rules.Request, found rules.Match) error {
	r := request.HTTP
	x := newExchange(h, w, request, found)
	h.loans.begin(x)
	if err := x.begin(); err != nil && h.OnQueueError == onQueueErrorFail {
		// An intent that was too late may be noted all the same. The API is
		// not asked, so nobody else would close it.
		x.resolve(event.OutcomeUnchanged)
		h.loans.end(x, event.OutcomeUnchanged)
		return caddyhttp.Error(http.StatusServiceUnavailable, fmt.Errorf("noting the intent: %w", err))
	}
	whole := false
	var err error
	// The proxy panics through us when either side breaks off within the body.
	// The panic is not recovered: the server above must see it.
	defer func() { x.end(err, whole) }()
	err = next.ServeHTTP(&x.tee, r)
	whole = true
	return err
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.Validator             = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
