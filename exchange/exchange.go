// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/failpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/rules/batch"
)

// exchange is one request that a rule matches, and its response. Where rules of several
// resources match, there is one for each of them: with an intent, an outcome and marks
// of its own, and with the same response.
type exchange struct {
	watcher *Watcher
	request rules.Request
	match   rules.Match
	tee     *tee
	path    string
	// passed is the request as it is passed on. Handlers that come later may change
	// it; request stays as it was.
	passed *http.Request
	// elsewhere are the resources of which another part looks after what their rules
	// touch.
	elsewhere []*rules.Resource
	// touching are the rules that touch other objects, and that apply.
	touching []*rules.Match

	// keys are the objects that the request names, none if only the response can
	// name them.
	keys []event.Key
	// ahead are the other objects, and the queries for them, that the request
	// alone names.
	ahead []event.Key
	// find is the query that finds the object if the response does not show it;
	// zero for none.
	find event.Key
	// byAnswer is true if the id in the path stands for the caller, so that only the
	// answer tells which object it is.
	byAnswer bool
	// unreadTouch says why nobody can tell which other objects the request touches;
	// nil if that is known.
	unreadTouch error
	// named is the receiver that the request names, zero for none.
	named Callback
	// members are the members of a batch, none for other exchanges.
	members []member
	// whole takes the answer to a batch apart, nil for an array.
	whole *batch.Batch
	// intent is the number of the intent, and noted its time.
	intent queue.IntentID
	noted  time.Time
	// trace and hops say where the exchange comes from.
	trace, hops string
	// resolved is true once the intent is resolved or about to be. left is true
	// once the exchange does not count as under way for what it lends.
	resolved, left bool
}

// newExchange reads what a request names, and prepares for its response.
func newExchange(w *Watcher, answer *tee, request rules.Request, found rules.Match, elsewhere ...*rules.Resource) *exchange {
	x := &exchange{watcher: w, request: request, match: found, path: event.CausePath(request.HTTP.URL.Path), tee: answer, elsewhere: elsewhere}
	x.trace, x.hops = w.origin(request.HTTP)
	more := false
	if x.match.Unread == nil {
		more = x.read()
	}
	if more || x.named.URL != "" {
		x.resolveEarly()
	}
	if needsBody(found.Rule, more) {
		answer.limit = int(w.opts.Capture)
	}
	x.passed = x.request.Freeze()
	return x
}

// resolveEarly has the intent resolved when the response is complete, before its last
// byte is passed on. A refusal has no mark to wait for; what it means is decided at the
// end.
func (x *exchange) resolveEarly() {
	x.tee.beforeLast = append(x.tee.beforeLast, func() {
		if outcome := x.outcome(nil, true); outcome == event.OutcomeChanged {
			x.resolve(outcome)
		}
	})
}

// read finds what the request names. It reports whether the response may name more.
func (x *exchange) read() (more bool) {
	if x.keys, x.match.Unread = x.requestKeys(); x.match.Unread != nil {
		// No request of ours can name such an object, so its Show cannot be
		// read, and nothing in the response may stand for it.
		return false
	}
	x.named = x.namedBy()
	x.match.Rule.ReadAhead(&x.request)
	return x.lookAhead() || len(x.keys) == 0 || x.match.Rule.TellsName()
}

// begin notes the intent. If that fails, the exchange goes on all the same, and
// what it changed is marked when it ends. An intent that was not noted in time may
// be noted yet, so its number is kept, to close it.
func (x *exchange) begin() error {
	x.noted = time.Now()
	rule := x.match.Rule
	intent := queue.Intent{
		Resource: rule.Resource.Name,
		Kind:     rule.Kind,
		Rule:     rule.Name,
		Noted:    x.noted,
		Key:      x.find,
		Touches:  x.ahead,
		Hops:     x.hops,
	}
	if len(x.keys) > 0 {
		intent.Key = x.keys[0]
		intent.Touches = append(slices.Clone(x.keys[1:]), x.ahead...)
	}
	if !intent.Key.IsZero() {
		intent.Deadline = x.noted.Add(x.uncertainFor())
	}
	var err error
	failpoint.Here("intent.before")
	// The API gets the request whether or not the client stays, so the context is
	// not the client's.
	if x.intent, err = x.watcher.opts.Notes.Note(x.watcher.deadlines.Context(), intent); err != nil {
		x.watcher.opts.Metrics.Gap(intent.Resource)
	}
	failpoint.Here("intent.after")
	return err
}

// uncertainFor returns how long after the exchange the API may still do what it
// was asked, or its replicas may not show it.
func (x *exchange) uncertainFor() time.Duration {
	return x.watcher.opts.UpstreamTimeout + x.match.Rule.Resource.Lag
}

// end resolves the intent by how the exchange ended, unless it is resolved since
// the response was complete.
func (x *exchange) end(err error, whole bool) {
	outcome := event.OutcomeChanged
	if !x.resolved {
		outcome = x.outcome(err, whole)
		x.resolve(outcome)
	}
	rule := x.match.Rule
	x.watcher.Remembered.end(x, outcome)
	x.watcher.opts.Metrics.Exchange(rule.Resource.Name, rule.Kind, outcome)
}

// resolve closes the intent and marks the objects, in one step.
//
// If only the response showed which objects they are, or the request named a
// receiver, this waits until the marks are durable: nothing else would bring them
// back after a crash, and the client must not learn of a change that could still be
// lost. If the intent names all, it brings them back by itself, so there is no need
// to wait.
func (x *exchange) resolve(outcome event.Outcome) {
	x.resolved = true
	failpoint.Here("exchange.answered")
	rule := x.match.Rule
	resolution := x.resolution(outcome)
	x.noteWords(outcome)
	if resolution.Unresolved != "" {
		x.watcher.opts.Metrics.Unresolved(rule.Resource.Name)
		x.watcher.opts.Logger.Warn("an exchange changed something, and nothing tells which object",
			zap.String("rule", rule.Name), zap.Int("status", x.tee.status), zap.String("reason", resolution.Unresolved))
		if outcome == event.OutcomeUnknown || x.isUnread() || x.sentTwice() {
			resolution.Unresolved = x.watcher.records[rule.Resource].Spend(resolution.Unresolved, time.Now())
		}
	}
	if outcome == event.OutcomeChanged {
		x.confirmed(resolution.Marks)
	}
	if outcome == event.OutcomeChanged && len(resolution.Marks) > 0 {
		x.watcher.Remembered.keep(x, resolution.Marks[0].Key)
	}
	x.watcher.turnsOfClients.spread(x.request.HTTP, resolution.Marks, time.Now())
	x.watcher.opts.Notes.Resolve(x.watcher.deadlines.Context(), rule.Resource.Name, x.intent, resolution, !x.foretold(resolution.Marks))
	failpoint.Here("exchange.resolved")
}

// isUnread reports whether nobody can tell for sure what the request says. A client
// may send such requests all the time, as one whose bodies are longer than `capture`,
// so they get no record each.
func (x *exchange) isUnread() bool {
	return x.match.Unread != nil || x.unreadTouch != nil || len(x.members) > 0
}
