// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// outcome is what an attempt achieved.
type outcome int

const (
	// failed: the receiver did not take the event, or may not have.
	failed outcome = iota
	// delivered: the receiver answered with success, and completely.
	delivered
)

// classify tells what an attempt achieved. Only 2xx is success, as Standard
// Webhooks has it: a redirect is a failure that the operator should see, not a
// place to send the event on to. An answer that breaks off is a failure
// whatever its status: the receiver may have broken off with it, and a repeat
// harms less than a loss.
func classify(code int, err error) outcome {
	if err == nil && code >= 200 && code <= 299 {
		return delivered
	}
	return failed
}

// decide turns an outcome into a verdict. Attempts counts the attempts made,
// with this one; asked is the time that the receiver asked for.
func decide(result outcome, attempts int, schedule Schedule, jitter float64, asked time.Duration, now time.Time) queue.Verdict {
	if result == delivered {
		return queue.Verdict{Status: queue.StatusDelivered}
	}
	delay, ok := schedule.NextAsked(attempts, jitter, asked)
	if !ok {
		return queue.Verdict{Status: queue.StatusDead}
	}
	return queue.Verdict{Status: queue.StatusPending, RetryAt: now.Add(delay)}
}

// maxAsked bounds what is read from a Retry-After, so that no arithmetic
// overflows. The schedule bounds it further.
const maxAsked = 365 * 24 * time.Hour

// retryAfter reads a Retry-After header, in seconds or as a date. It returns 0
// for one that is missing, malformed or in the past.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if value == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(value, 10, 63); err == nil {
		return time.Duration(min(seconds, uint64(maxAsked/time.Second))) * time.Second
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(date.Sub(now), 0), maxAsked)
}
