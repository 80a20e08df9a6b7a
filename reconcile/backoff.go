// SPDX-License-Identifier: Apache-2.0

package reconcile

import "time"

// Bounds of the time between two readings of an object's Show.
const (
	// firstRetry is the wait after the first failure. A replica usually has
	// caught up by then.
	firstRetry = 200 * time.Millisecond
	// lastRetry is the longest wait. An object that cannot be read costs the
	// API one request in this time.
	lastRetry = 5 * time.Minute
	// missingFor is how long an object that the API does not know, and that
	// nobody is known to have deleted, is asked for before it is given up.
	missingFor = 24 * time.Hour
)

// backoff returns how long to wait after the given number of failures, 0 for
// the first: twice as long each time, 20 % more or less by jitter, which is a
// number from 0 to 1. Jitter keeps the objects of an API that was down from
// asking all at once when it returns.
func backoff(tries int, jitter float64) time.Duration {
	wait := lastRetry
	if tries < 16 { // firstRetry << 16 is hours; more would overflow
		wait = min(firstRetry<<max(tries, 0), lastRetry)
	}
	return time.Duration(float64(wait) * (0.8 + 0.4*jitter))
}
