// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/failpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// exchange is one request that a rule matches, and its response.
type exchange struct {
	watcher *Watcher
	request rules.Request
	match   rules.Match
	tee     tee
	path    string

	// keys are the objects that the request names; none where only the
	// response can tell.
	keys []event.Key
	// ahead are other objects and listings that the request alone tells.
	ahead []event.Key
	// find is the listing by which an object is found of which the response
	// tells nothing; zero for none.
	find     event.Key
	callback []byte
	intent   queue.IntentID
	noted    time.Time
	// trace and hops tell where the exchange comes from.
	trace, hops string
	// resolved is true once the intent is, or is about to be; left, once the
	// exchange counts as over for what it lends.
	resolved, left bool
}

func newExchange(w *Watcher, writer http.ResponseWriter, request rules.Request, found rules.Match) *exchange {
	x := &exchange{watcher: w, request: request, match: found, path: event.CausePath(request.HTTP.URL.Path)}
	x.trace, x.hops = w.origin(request.HTTP)
	x.tee.ResponseWriterWrapper = &caddyhttp.ResponseWriterWrapper{ResponseWriter: writer}
	rule := found.Rule
	keys, err := x.requestKeys()
	if err != nil {
		// No request of ours can name such an object, so its Show cannot be
		// read; the operator sees it among the unresolved.
		w.Logger.Warn("the id in a request cannot name an object", zap.String("rule", rule.Name), zap.Error(err))
	}
	x.keys = keys
	tells := x.lookAhead() || len(keys) == 0
	if tells {
		x.tee.beforeLast = func() {
			// The whole response is known now. A refusal has no mark to wait
			// for, and what it means is decided at the end.
			if outcome := x.outcome(nil, true); outcome == event.OutcomeChanged {
				x.resolve(outcome)
			}
		}
	}
	if tells || rule.ReadsResponse || rule.Resource.Version != "" || rule.Resource.ShowFrom == syntax.ShowFromResponse {
		x.tee.limit = int(w.Capture)
	}
	return x
}

// lookAhead finds what else the request tells before it is forwarded, so that
// a crash does not lose it. It returns whether the response may tell more.
func (x *exchange) lookAhead() (more bool) {
	rule := x.match.Rule
	more = rule.Later != nil
	own := event.Key{}
	if len(x.keys) > 0 {
		own = x.keys[0]
	}
	if rule.Find != nil {
		if key, err := x.queryKey(rule.Find, &x.match, own); err == nil {
			x.find = key
		}
	}
	x.watcher.Rules.Touching(&x.request, func(other *rules.Match) {
		for i := range other.Rule.Touches {
			keys, err := x.touched(other, &other.Rule.Touches[i], own)
			if err != nil {
				more = true
			}
			x.ahead = append(x.ahead, keys...)
		}
	})
	return more
}

// begin notes the intent. Without one the exchange goes on all the same, and
// what it changed is marked when it ends. One that could not be noted in time
// may be noted yet, so its number is kept, to close it.
func (x *exchange) begin() error {
	x.noted = time.Now()
	rule := x.match.Rule
	x.callback = x.watcher.callbackOf(x)
	intent := queue.Intent{
		Resource: rule.Resource.Name,
		Kind:     rule.Kind,
		Rule:     rule.Name,
		Noted:    x.noted,
		Key:      x.find,
		Touches:  x.ahead,
		Callback: x.callback,
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
	// The API will be asked whether or not the client stays, so the client's
	// going away is no reason not to note it.
	if x.intent, err = x.watcher.Notes.Note(x.watcher.deadlines.Context(), intent); err != nil {
		x.watcher.Metrics.Gap(intent.Resource)
	}
	failpoint.Here("intent.after")
	return err
}

// outcome tells what the end of the exchange says about the change.
func (x *exchange) outcome(err error, whole bool) event.Outcome {
	status := x.tee.status
	usual := outcomeOf(x.request.HTTP, status, err, whole)
	if status == 0 || !whole || status == statusClientClosedRequest {
		// There is no answer of the API's that the rule could judge.
		return usual
	}
	return x.match.Rule.Outcome(usual, status, x.tee.answer.json)
}

// uncertainFor is how long after the exchange the API may still do what it was
// asked, and its replicas may not show it.
func (x *exchange) uncertainFor() time.Duration {
	return x.watcher.UpstreamTimeout + x.match.Rule.Resource.Lag
}

// end resolves the intent by how the exchange ended, unless the whole response
// did so already.
func (x *exchange) end(err error, whole bool) {
	outcome := event.OutcomeChanged
	if !x.resolved {
		outcome = x.outcome(err, whole)
		x.resolve(outcome)
	}
	rule := x.match.Rule
	x.watcher.Remembered.end(x, outcome)
	x.watcher.Metrics.Exchange(rule.Resource.Name, rule.Kind, outcome)
}

// resolve closes the intent and marks the objects, in one step.
//
// Where only the response told which objects they are, this waits until the
// marks are durable: nothing else would bring the objects back after a crash,
// and the client must not learn of a change that could still be lost. Where
// the intent names them it brings them back by itself, so there is no need to
// wait.
func (x *exchange) resolve(outcome event.Outcome) {
	x.resolved = true
	failpoint.Here("exchange.answered")
	rule := x.match.Rule
	resolution := x.resolution(outcome)
	if resolution.Unresolved != "" {
		x.watcher.Metrics.Unresolved(rule.Resource.Name)
		x.watcher.Logger.Warn("an exchange changed something, and nothing tells which object",
			zap.String("rule", rule.Name), zap.Int("status", x.tee.status), zap.String("reason", resolution.Unresolved))
	}
	if outcome == event.OutcomeChanged && len(resolution.Marks) > 0 {
		x.watcher.Remembered.keep(x, resolution.Marks[0].Key)
	}
	x.watcher.Notes.Resolve(x.watcher.deadlines.Context(), rule.Resource.Name, x.intent, resolution, !x.foretold(resolution.Marks))
	failpoint.Here("exchange.resolved")
}

// foretold tells whether the intent names all the objects.
func (x *exchange) foretold(marks []queue.Mark) bool {
	for i := range marks {
		if !slices.Contains(x.keys, marks[i].Key) && !slices.Contains(x.ahead, marks[i].Key) && marks[i].Key != x.find {
			return false
		}
	}
	return true
}

// resolution decides what becomes of the intent.
func (x *exchange) resolution(outcome event.Outcome) queue.Resolution {
	var resolution queue.Resolution
	if outcome == event.OutcomeUnchanged {
		return resolution
	}
	rule := x.match.Rule
	own := x.keys
	if len(own) == 0 {
		var err error
		if own, err = x.identify(); err != nil {
			own, resolution.Unresolved = x.searched(outcome, err)
		}
	}
	version := ""
	if outcome == event.OutcomeChanged && len(own) == 1 {
		// What is as long is no version, and a stranger may choose it.
		if version = x.version(); len(version) > event.MaxVersionLength {
			version = ""
		}
	}
	for _, key := range own {
		mark := x.mark(key, queue.HintsOf(rule.Kind, outcome), outcome)
		mark.Version, mark.Callback = version, x.callback
		if outcome == event.OutcomeChanged && x.tee.status == http.StatusCreated {
			mark.Hints |= queue.HintCreated
		}
		resolution.Marks = append(resolution.Marks, mark)
	}
	for _, key := range x.alsoTouched(own) {
		mark := x.mark(key, queue.HintsOf(event.KindUpdate, outcome), outcome)
		mark.Cause.Resource = rule.Resource.Name
		resolution.Marks = append(resolution.Marks, mark)
	}
	return resolution
}

// mark makes the mark of an object.
func (x *exchange) mark(key event.Key, hints queue.Hints, outcome event.Outcome) queue.Mark {
	rule := x.match.Rule
	mark := queue.Mark{
		Key: key, Hints: hints,
		Cause: event.Cause{
			Rule: rule.Name, Outcome: outcome, At: x.noted, Method: x.request.HTTP.Method, Path: x.path, TraceParent: x.trace, Hops: x.hops,
		},
	}
	settle := time.Duration(0)
	switch {
	case outcome == event.OutcomeUnknown, rule.Kind == event.KindDelete:
		// The API may commit late. And after a delete, a replica that lags may
		// show a change made before it, and a soft delete shows the object for
		// good. Whatever is found first, the object is looked at once more.
		settle = x.uncertainFor()
	case x.tee.status == http.StatusAccepted:
		// Accepted, and done later (RFC 9110, section 15.3.3).
		settle = x.uncertainFor()
	case key.Resource != rule.Resource.Name:
		// A listing or another object shows what was done when its replica
		// has caught up, and has no version of the write's response.
		settle = min(settledTouch, x.watcher.UpstreamTimeout)
	}
	if rule.Later != nil && (key.Resource == rule.Later.Name || x.tee.status == http.StatusAccepted) {
		settle = max(settle, rule.Within)
	}
	if settle = max(settle, rule.Resource.Lag); settle > 0 {
		mark.SettleAt = time.Now().Add(settle)
	}
	return mark
}

// settledTouch is when what an exchange touched is looked at once more.
const settledTouch = 5 * time.Second
