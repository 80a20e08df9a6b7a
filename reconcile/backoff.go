// SPDX-License-Identifier: Apache-2.0

package reconcile

import "time"

// Limits of the time between two readings of an object's Show.
const (
	// firstRetry is the wait after the first failure. By then a replica has
	// usually caught up.
	firstRetry = 200 * time.Millisecond
	// lastRetry is the longest wait. An object that cannot be read costs the
	// API one request per wait.
	lastRetry = 5 * time.Minute
	// missingFor is how long to keep asking for an object that the API does not
	// know and that nobody is known to have deleted.
	missingFor = 24 * time.Hour
)

// backoff returns how long to wait after the given number of failures, 0 for
// the first: twice as long each time, plus or minus 20 % by jitter, which is a
// number from 0 to 1. Jitter keeps the objects of an API that was down from all
// being read at once when it returns.
func backoff(tries int, jitter float64) time.Duration {
	wait := lastRetry
	if tries < 16 { // firstRetry << 16 is hours; more would overflow
		wait = min(firstRetry<<max(tries, 0), lastRetry)
	}
	return time.Duration(float64(wait) * (0.8 + 0.4*jitter))
}
