// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
)

const (
	// failingAfter is how long every attempt must have failed before an
	// endpoint counts as failing: long enough to distinguish an outage from a
	// restart.
	failingAfter = 5 * time.Minute
	// enoughFailures is how many attempts must have failed as well before an
	// endpoint counts as failing or is disabled: two attempts that lie far
	// apart are not enough to judge an endpoint that seldom gets anything.
	enoughFailures = 3
)

// health records how long an endpoint has been failing. Like a breaker, it is a
// value.
type health struct {
	// since is the time of the first failure after the last success; zero if
	// the last attempt succeeded. failures counts the failures since then.
	since    time.Time
	failures int
	// reason says in words why the last of them failed.
	reason string
	// announced is true if the endpoint was announced as failing.
	announced bool
}

// change is the effect of an attempt on an endpoint's health.
type change int

const (
	unchanged change = iota
	// nowFailing: the endpoint counts as failing from now on.
	nowFailing
	// recovered: the endpoint was failing, and has succeeded.
	recovered
	// exhausted: the endpoint has failed for so long that it must be disabled.
	exhausted
)

// after returns the health after an attempt.
func (h health) after(delivered bool, reason string, at time.Time, disableAfter time.Duration) (health, change) {
	if delivered {
		if h.announced {
			return health{}, recovered
		}
		return health{}, unchanged
	}
	if h.failures == 0 || h.since.IsZero() {
		h.since = at
	}
	h.failures++
	h.reason = reason
	switch failing := at.Sub(h.since); {
	case h.failures < enoughFailures:
		return h, unchanged
	case disableAfter != endpoint.Never && failing >= disableAfter:
		return h, exhausted
	case !h.announced && failing >= failingAfter:
		h.announced = true
		return h, nowFailing
	default:
		return h, unchanged
	}
}
