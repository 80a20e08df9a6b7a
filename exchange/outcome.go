// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"errors"
	"net"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
)

// statusClientClosedRequest is what reverse_proxy writes when the client hung
// up before the API answered.
const statusClientClosedRequest = 499

// outcome returns what the end of the exchange says about the change: by itself, or
// as the rule has it.
func (x *exchange) outcome(err error, whole bool) event.Outcome {
	status := x.tee.status
	usual := outcomeOf(x.request.HTTP, status, err, whole)
	if status == 0 || !whole || status == statusClientClosedRequest {
		// There is no answer of the API that the rule could judge.
		return usual
	}
	usual = x.redirected(usual)
	if len(x.members) > 0 {
		return x.ofAllTries(usual) // each member is judged by its own answer
	}
	outcome := x.ofAllTries(x.match.Rule.Outcome(usual, status, x.tee.answer.json))
	if outcome == event.OutcomeChanged && x.match.Unsure != nil {
		if errors.Is(x.match.Unsure, rules.ErrStatedMethod) && status == http.StatusCreated {
			return outcome // no safe method creates anything
		}
		// The answer says that something was done, but not what.
		return event.OutcomeUnknown
	}
	return outcome
}

// outcomeOf returns what the end of an exchange says about the change, whatever the
// rule is.
//
// Whole is false if the exchange was cut: the handler panicked, as reverse_proxy
// does when either side breaks off within the body. Status is 0 if no response was
// begun; err usually has one then.
func outcomeOf(r *http.Request, status int, err error, whole bool) event.Outcome {
	if status == 0 && err != nil {
		if neverSent(r, err) {
			return event.OutcomeUnchanged
		}
		var failure caddyhttp.HandlerError
		if errors.As(err, &failure) {
			status = failure.StatusCode
		}
	}
	switch {
	case status == statusClientClosedRequest, status == http.StatusRequestTimeout:
		// The API may still be at work on the request.
		return event.OutcomeUnknown
	case status >= 400 && status <= 499, status == http.StatusTemporaryRedirect, status == http.StatusPermanentRedirect:
		// 307 and 308 ask the client to send the request elsewhere (RFC 9110,
		// section 15.4.8): nothing was done here.
		return event.OutcomeUnchanged
	case status >= 200 && status <= 399 && whole:
		return event.OutcomeChanged
	case status == 0 && err == nil && whole:
		// A handler that writes nothing answers 200 with an empty body.
		return event.OutcomeChanged
	}
	// 5xx of the API, Caddy's own 502 and 504, an accepted upgrade, or a cut: the
	// API may have done what it was asked, or may do it yet.
	return event.OutcomeUnknown
}

// neverSent reports whether the request cannot have reached the API: its only try
// failed before there was a connection.
func neverSent(r *http.Request, err error) bool {
	var dial *net.OpError
	if !errors.As(err, &dial) || dial.Op != "dial" {
		return false
	}
	// With retries, the error is the last try's; an earlier one may have got
	// through.
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return false
	}
	retries, found := repl.Get("http.reverse_proxy.retries")
	return found && retries == 0
}
