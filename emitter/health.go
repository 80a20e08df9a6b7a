// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/endpoint"
)

const (
	// failingAfter is for how long every attempt must have failed before an
	// endpoint counts as failing: long enough to tell an outage from a restart.
	failingAfter = 5 * time.Minute
	// enoughFailures is how many attempts must have failed too, before an
	// endpoint counts as failing or is disabled: one that is seldom sent
	// anything is not judged by two attempts that lie far apart.
	enoughFailures = 3
)

// health is how long an endpoint has been failing. It is a value, as a breaker
// is.
type health struct {
	// since is when the first of the failures came that no success has
	// followed; zero if the last attempt succeeded. failures counts them.
	since    time.Time
	failures int
	// announced tells that the endpoint was said to be failing.
	announced bool
}

// change is what an attempt made of an endpoint's health.
type change int

const (
	unchanged change = iota
	// nowFailing: the endpoint counts as failing from now on.
	nowFailing
	// recovered: it did, and has succeeded.
	recovered
	// exhausted: it has failed for so long that it is to be disabled.
	exhausted
)

// after returns the health after an attempt.
func (h health) after(delivered bool, at time.Time, disableAfter time.Duration) (health, change) {
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
