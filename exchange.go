// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/failpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
)

// queuePatience bounds how long a request waits for the queue. A disk that
// hangs must not hang the API.
const queuePatience = 2 * time.Second

// exchange is one request that a rule matches, and its response.
type exchange struct {
	handler *Handler
	match   match
	tee     tee
	url     *url.URL
	host    string

	// key is the object's, where the request names it; else it is zero.
	key    event.Key
	intent queue.IntentID
	noted  time.Time
	// resolved is true once the intent is, or is about to be.
	resolved bool
}

func newExchange(h *Handler, w http.ResponseWriter, r *http.Request, found match) *exchange {
	x := &exchange{handler: h, match: found, url: r.URL, host: r.Host}
	x.tee.ResponseWriterWrapper = &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}
	named := found.rule.named()
	if named {
		key, err := x.match.key("")
		if err != nil {
			// No request of ours can name such an object, so its Show cannot
			// be read; the operator sees it among the unresolved.
			h.log.Warn("the id in a path cannot name an object", zap.String("rule", found.rule.text), zap.Error(err))
			named = false
		}
		x.key = key
	}
	if !named {
		x.tee.beforeLast = func() {
			// The whole response is known now. A refusal has no mark to wait
			// for, and what it means is decided at the end.
			if outcomeOf(r, x.tee.status, nil, true) == event.OutcomeChanged {
				x.resolve(r.Context(), event.OutcomeChanged)
			}
		}
	}
	if !named || found.rule.resource.version != "" {
		x.tee.limit = int(h.Capture)
	}
	return x
}

// begin notes the intent. Without one the exchange goes on all the same, and
// what it changed is marked when it ends. One that could not be noted in time
// may be noted yet, so its number is kept, to close it.
func (x *exchange) begin(ctx context.Context) error {
	x.noted = time.Now()
	intent := queue.Intent{
		Resource: x.match.rule.resource.name,
		Kind:     x.match.rule.kind,
		Rule:     x.match.rule.text,
		Key:      x.key,
		Noted:    x.noted,
	}
	if !x.key.IsZero() {
		intent.Deadline = x.noted.Add(time.Duration(x.handler.UpstreamTimeout))
	}
	// The API will be asked whether or not the client stays, so the client's
	// going away is no reason not to note it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queuePatience)
	defer cancel()
	var err error
	failpoint.Here("intent.before")
	if x.intent, err = x.handler.queue.noteIntent(ctx, intent); err != nil {
		if !errors.Is(err, errPassing) {
			x.handler.log.Error("noting an intent", zap.String("rule", intent.Rule), zap.Error(err))
		}
		metrics.gaps.WithLabelValues(intent.Resource, "intent").Inc()
	}
	failpoint.Here("intent.after")
	return err
}

// end resolves the intent by how the exchange ended, unless the whole response
// did so already.
func (x *exchange) end(r *http.Request, err error, whole bool) {
	outcome := event.OutcomeChanged
	if !x.resolved {
		outcome = outcomeOf(r, x.tee.status, err, whole)
		x.resolve(r.Context(), outcome)
	}
	rule := x.match.rule
	metrics.exchanges.WithLabelValues(rule.resource.name, string(rule.kind), string(outcome)).Inc()
}

// resolve closes the intent and marks the object, in one step.
//
// Where only the response told which object it is, this waits until the mark
// is durable: nothing else would bring the object back after a crash, and the
// client must not learn of a change that could still be lost. Where the intent
// names the object it brings it back by itself, so there is no need to wait.
func (x *exchange) resolve(ctx context.Context, outcome event.Outcome) {
	x.resolved = true
	failpoint.Here("exchange.answered")
	if outcome == event.OutcomeUnchanged && x.intent == 0 {
		return
	}
	resolution := x.resolution(outcome)
	durable := x.key.IsZero() && len(resolution.Marks) > 0
	if resolution.Unresolved != "" {
		metrics.unresolved.WithLabelValues(x.match.rule.resource.name).Inc()
		x.handler.log.Warn("an exchange changed something, and nothing tells which object",
			zap.String("rule", x.match.rule.text), zap.Int("status", x.tee.status), zap.String("reason", resolution.Unresolved))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queuePatience)
	defer cancel()
	x.handler.queue.resolveIntent(ctx, x.match.rule.resource.name, x.intent, resolution, durable)
	failpoint.Here("exchange.resolved")
}

// resolution decides what becomes of the intent.
func (x *exchange) resolution(outcome event.Outcome) queue.Resolution {
	if outcome == event.OutcomeUnchanged {
		return queue.Resolution{}
	}
	rule := x.match.rule
	mark := queue.Mark{
		Key:   x.key,
		Hints: reconcile.HintsOf(rule.kind, outcome),
		Cause: event.Cause{Rule: rule.text, Outcome: outcome, At: x.noted},
	}
	if mark.Key.IsZero() {
		key, err := x.identify()
		if err != nil {
			return queue.Resolution{Unresolved: err.Error()}
		}
		mark.Key = key
	}
	switch outcome {
	case event.OutcomeChanged:
		if x.tee.status == http.StatusCreated {
			mark.Hints |= queue.HintCreated
		}
		mark.Version = x.match.version(&x.tee.answer)
		if rule.kind == event.KindDelete {
			// A replica that lags may show a change made before the delete, and
			// a soft delete shows the object for good. Whatever is found first,
			// the object is looked at once more.
			mark.SettleAt = time.Now().Add(time.Duration(x.handler.UpstreamTimeout))
		}
	case event.OutcomeUnknown:
		mark.SettleAt = time.Now().Add(time.Duration(x.handler.UpstreamTimeout))
	case event.OutcomeUnchanged:
	}
	return queue.Resolution{Marks: []queue.Mark{mark}}
}

// identify returns the key that the response tells.
func (x *exchange) identify() (event.Key, error) {
	if x.tee.status < 200 || x.tee.status > 399 {
		return event.Key{}, errNoResponse
	}
	return x.match.identify(x.url, x.host, &x.tee.answer)
}
