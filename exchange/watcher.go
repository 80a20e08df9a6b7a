// SPDX-License-Identifier: Apache-2.0

// Package exchange watches exchanges as they pass: it notes an intent before a
// request is forwarded, finds in the request and its response which objects the
// exchange changed, and resolves the intent by how the exchange ended. It changes
// nothing about an exchange, and delays nothing but the last byte of a response
// whose object must be marked first.
//
// The files follow an exchange: [Watcher] takes the request, outcome.go decides
// what its end means, identify.go which object it is about, response.go what is
// kept of the response, and mark.go what the queue gets.
package exchange

import (
	"context"
	"net/http"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/deadline"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// Notes is where a [Watcher] notes what exchanges may change.
type Notes interface {
	// Note records durably that an exchange may change something. If it fails and
	// returns a number, the intent may be open all the same, and must be resolved.
	Note(ctx context.Context, intent queue.Intent) (queue.IntentID, error)
	// Resolve closes an intent and marks its objects. If durable is true, it
	// returns when the marks are durable. It does not fail: what the queue cannot
	// take now is offered to it again, or counted as a gap.
	Resolve(ctx context.Context, resource string, id queue.IntentID, resolution queue.Resolution, durable bool)
}

// Metrics counts what happens to exchanges.
type Metrics interface {
	// Exchange counts an exchange that has ended.
	Exchange(resource string, kind event.Kind, outcome event.Outcome)
	// Gap counts an exchange without an intent.
	Gap(resource string)
	// Unresolved counts a change whose object is not known.
	Unresolved(resource string)
	// CallbackRefused counts a receiver that a request named and that may not be
	// sent to.
	CallbackRefused(resource string)
	// Unmatched counts an unsafe request that no rule matches.
	Unmatched()
}

// Options configure a [Watcher]. Rules, Notes and Metrics are required.
type Options struct {
	// Rules say which exchanges are watched.
	Rules *rules.Set
	// UpstreamTimeout is how long after an exchange without an answer the API may
	// still do what it was asked.
	UpstreamTimeout time.Duration
	// UnconfirmedRate is how many Shows a second are read for exchanges whose outcome
	// is unknown. Default: no limit is known, and clients have no turns.
	UnconfirmedRate float64
	// Capture limits how much of a body is copied, in bytes.
	Capture int64
	// Refuse answers a request with 503 when its intent cannot be noted, before
	// the API sees it.
	Refuse bool
	// NoteTimeout is how long an exchange waits for the queue. Default:
	// [queue.Timeout].
	NoteTimeout time.Duration

	// Notes takes intents and resolutions.
	Notes Notes
	// Seal checks a receiver that a request named, and encrypts it. Default:
	// requests cannot name receivers.
	Seal func(resource string, named Callback) ([]byte, error)
	// Observe takes a Show that passed, to compare it when there is time. It must
	// return at once. Default: passing Shows are not compared.
	Observe func(of *rules.Resource, key event.Key, passed show.Show)
	// Confirmed takes the request of an exchange that the API has confirmed, and
	// what it marks. It must return at once. Default: nothing.
	Confirmed func(front show.Front, marked []event.Key)
	// Hosts are names under which the API is asked, besides those that clients use.
	Hosts []string
	// Unmatched takes an unsafe request that no rule matches. Default: nothing.
	Unmatched func(method, path string)
	// Trace returns the place of an exchange in its trace, "" for none. Default:
	// none has one.
	Trace func(context.Context) string
	// Hops returns the hops of the delivery that caused a request, read from its
	// header; "" if none of our deliveries did. Default: none did.
	Hops func(http.Header) string

	// Clients counts the exchanges under way that rules match. Default: nobody counts
	// them.
	Clients Clients
	// Metrics counts what happens.
	Metrics Metrics
	// Logger logs what strangers can cause, so it should limit how often it says
	// the same. Default: nothing is logged.
	Logger *zap.Logger
}

// Clients counts exchanges.
type Clients interface {
	// Enter is called when an exchange begins, Leave when it ends.
	Enter()
	Leave()
}

// observeRate limits how many passing Shows a second are compared with what is
// known. Comparing costs the API nothing and the proxy little; more would find
// little more, because an object that somebody looks at is looked at again.
const observeRate = 100

// Watcher watches the exchanges of one handler.
type Watcher struct {
	// Remembered lends what exchanges leave to the reading of Shows.
	Remembered *Remembered

	opts      Options
	deadlines *deadline.Pool // of what waits for the queue
	turns     *rate.Limiter  // of Shows that are compared
	// records are the budgets of the records of exchanges without an outcome.
	records map[*rules.Resource]*queue.RecordBudget
	// turnsOfClients spreads what only clients stand for.
	turnsOfClients *clientTurns
}

// New returns a Watcher.
func New(options Options) *Watcher {
	if options.NoteTimeout == 0 {
		options.NoteTimeout = queue.Timeout
	}
	if options.Logger == nil {
		options.Logger = zap.NewNop()
	}
	records := make(map[*rules.Resource]*queue.RecordBudget, len(options.Rules.Resources))
	for _, r := range options.Rules.Resources {
		records[r] = queue.NewRecordBudget()
	}
	return &Watcher{
		Remembered: NewRemembered(), opts: options, records: records,
		deadlines: deadline.New(context.Background(), options.NoteTimeout),
		turns:     rate.NewLimiter(observeRate, observeRate),

		turnsOfClients: newClientTurns(options.UnconfirmedRate),
	}
}

// Serve passes a request on. It watches the exchange if a rule matches, compares
// the answer if the request is a Show, and leaves all others alone. A request with
// an Upgrade is an exchange, too: the API may decline and just do what it is asked,
// as it does when a client offers h2c with all that it sends. CONNECT asks for a
// tunnel, and what flows in a tunnel is no exchange.
func (w *Watcher) Serve(writer http.ResponseWriter, request rules.Request, next caddyhttp.Handler) error {
	if request.HTTP.Method == http.MethodConnect {
		return next.ServeHTTP(writer, request.HTTP)
	}
	if batched := w.opts.Rules.FindBatch(&request); batched != nil {
		return w.serveBatch(writer, request, batched, next)
	}
	var found rules.Match
	matches := w.opts.Rules.Find(&request, &found)
	if members := w.opts.Rules.FindMembers(&request, &found); len(members) > 0 {
		return w.watch(writer, next, w.batches(request, members, nil))
	}
	if matches || found.Unread != nil {
		return w.watch(writer, next, w.parts(request, found))
	}
	if rules.IsSafe(request.Method) {
		return w.observe(writer, &request, next)
	}
	if w.opts.Rules.Ignores(&request) {
		return next.ServeHTTP(writer, request.HTTP)
	}
	// A handler behind this one may strip the path, or answer what is no request to
	// the API.
	path := request.HTTP.URL.Path
	defer func() {
		if !isOurs(request.HTTP) {
			w.unmatched(request.Method, path)
		}
	}()
	return next.ServeHTTP(writer, request.HTTP)
}

// oursKey is the variable that marks a request as one of ours.
const oursKey = "webhooks.ours"

// MarkOurs notes that a request is answered by this module, and not by the API: so it
// does not count as one that no rule matches.
func MarkOurs(r *http.Request) { caddyhttp.SetVar(r.Context(), oursKey, true) }

func isOurs(r *http.Request) bool {
	ours, _ := caddyhttp.GetVar(r.Context(), oursKey).(bool)
	return ours
}

// unmatched counts a request that may change something, and that no rule matches.
func (w *Watcher) unmatched(method, path string) {
	w.opts.Metrics.Unmatched()
	if w.opts.Unmatched != nil {
		w.opts.Unmatched(method, path)
	}
}

// serveBatch passes a request on that holds others.
func (w *Watcher) serveBatch(writer http.ResponseWriter, request rules.Request, batched *rules.Batched, next caddyhttp.Handler) error {
	for _, r := range batched.Unmatched {
		w.unmatched(r.Method, r.URL.Path)
	}
	switch {
	case batched.Batch == nil:
		return w.watch(writer, next, func(answer *tee) []*exchange {
			return []*exchange{newExchange(w, answer, request, batched.Match)}
		})
	case len(batched.Members) > 0:
		return w.watch(writer, next, w.batches(request, batched.Members, batched.Batch))
	}
	return next.ServeHTTP(writer, request.HTTP)
}

// origin returns the place of an exchange in its trace, and the hops of the delivery
// that caused it. Both are "" for most.
func (w *Watcher) origin(r *http.Request) (trace, hops string) {
	if w.opts.Hops != nil {
		hops = w.opts.Hops(r.Header)
	}
	if w.opts.Trace != nil {
		trace = w.opts.Trace(r.Context())
	}
	return trace, hops
}
