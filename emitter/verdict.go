// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// ruling is the meaning of an attempt's end, for the delivery and for the
// endpoint.
type ruling struct {
	// delivered: the receiver answered with success, and completely.
	delivered bool
	// final: the receiver does not want this event; there is no retry.
	final bool
	// down: the receiver does not work, as opposed to rejecting this event.
	down bool
	// throttled: the receiver wants fewer attempts, or is a proxy in front of
	// one that does not keep up.
	throttled bool
	// ours: the receiver got no request, as the egress proxy failed. The
	// attempt counts as one, and says nothing about the endpoint's health.
	ours bool
	// disable says why the endpoint gets nothing more; "" if it still does.
	disable string
}

// Header and words by which a receiver may say more than a status can.
const (
	deliveryHeader = "Webhook-Delivery"
	wordDisable    = "disable"
	wordAbort      = "abort-message"
)

// rule returns the meaning of an attempt's end. Only the endpoint's success
// statuses are a success, 2xx by default, as in Standard Webhooks: a redirect
// is a failure that the operator should see, not a place to send the event on
// to. An answer that breaks off is a failure whatever its status: the receiver
// may have broken off with it, and a repeat harms less than a loss. The
// answer's own length or chunks show whether it broke off: an answer with
// neither is complete when the connection ends, in whatever way.
func rule(code int, word string, err error, success endpoint.Statuses) ruling {
	if err != nil {
		return ruling{down: true, ours: errors.Is(err, egress.ErrProxy)}
	}
	r := ruling{delivered: success.Match(code)}
	switch word = strings.ToLower(strings.TrimSpace(word)); {
	case word == wordDisable:
		r.disable = "its receiver answered webhook-delivery: disable"
	case word == wordAbort && !r.delivered:
		r.final = true
	}
	if r.delivered {
		return r
	}
	switch code {
	case http.StatusGone:
		r.disable = "its receiver answered 410 Gone"
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		r.throttled, r.down = true, true
	case http.StatusRequestTimeout:
		r.down = true
	default:
		r.down = code >= 500
	}
	return r
}

// trial is a failed attempt, with what matters for the next one.
type trial struct {
	// attempts counts the delivery's attempts, including this one unless it was
	// hastened.
	attempts int
	// hastened is when the attempt would have been due if it had not been
	// hastened; zero if it was not.
	hastened time.Time
	// ended is when the attempt ended, asked the pause that the receiver asked
	// for, and jitter a number in [0, 1).
	ended  time.Time
	asked  time.Duration
	jitter float64
	// deadline is when the delivery is no longer wanted; zero is never.
	deadline time.Time
}

// decide turns a ruling into a verdict.
func decide(r ruling, t trial, schedule Schedule) queue.Verdict {
	if r.delivered {
		return queue.Verdict{Status: queue.StatusDelivered}
	}
	delay, ok := schedule.NextAsked(t.attempts, t.jitter, t.asked)
	retry := t.ended.Add(delay)
	if t.hastened.After(t.ended) {
		// The attempt came before its time, which is still to come: it takes
		// nothing of the schedule.
		retry, ok = schedule.asked(t.hastened, t), true
	}
	if !ok || r.final || !t.deadline.IsZero() && retry.After(t.deadline) {
		return queue.Verdict{Status: queue.StatusDead}
	}
	return queue.Verdict{Status: queue.StatusPending, RetryAt: retry}
}
