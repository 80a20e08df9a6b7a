// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"errors"
	"net/http"
	"net/http/httptrace"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// errSentTwice is why there may be another object than the one that a response names.
var errSentTwice = errors.New("the proxy sent the request more than once (lb_retries, lb_retry_match), " +
	"so it may have made another object than the one that the response names")

// counted returns a request that counts how often it is sent. A proxy may try again
// after a failure, or after an answer that it does not like, and the client and we
// only see the answer to the last try.
func (t *tee) counted(r *http.Request) *http.Request {
	return r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		WroteHeaders: func() { t.sent.Add(1) },
	}))
}

// sentTwice reports whether the API may have got the request more than once.
func (x *exchange) sentTwice() bool { return x.tee.sent.Load() > 1 }

// ofAllTries returns the outcome of all tries, if that of the last one is known: a
// refusal says nothing of an earlier one, that may have done what the API now refuses
// to do again.
func (x *exchange) ofAllTries(last event.Outcome) event.Outcome {
	if last == event.OutcomeUnchanged && x.sentTwice() {
		return event.OutcomeUnknown
	}
	return last
}

// others adds what an earlier try may have made, besides the object that the response
// names: it is looked for, or recorded.
func (x *exchange) others(resolution *queue.Resolution) {
	if len(x.keys) > 0 || len(resolution.Marks) == 0 || resolution.Unresolved != "" || !x.sentTwice() {
		return
	}
	if x.find.IsZero() {
		resolution.Unresolved = errSentTwice.Error()
		return
	}
	if resolution.Marks[0].Key != x.find {
		resolution.Marks = append(resolution.Marks, x.mark(x.find, queue.HintsOf(x.match.Rule.Kind, event.OutcomeUnknown), event.OutcomeUnknown))
	}
}
