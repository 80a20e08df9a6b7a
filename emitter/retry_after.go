// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxAsked bounds what is read from a Retry-After, so that no arithmetic
// overflows. The schedule and the breaker bound it further.
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
