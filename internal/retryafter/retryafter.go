// SPDX-License-Identifier: Apache-2.0

// Package retryafter reads the header Retry-After, by which APIs and receivers
// ask for a pause.
package retryafter

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Max is the longest wait that is returned, so that no arithmetic overflows.
// Callers limit it further.
const Max = 365 * 24 * time.Hour

// Parse returns the wait that a header asks for, in seconds or as a date (RFC
// 9110, section 10.2.3), at most [Max]. It returns 0 if Retry-After is missing,
// malformed or in the past.
func Parse(header http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if value == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(value, 10, 63); err == nil {
		return time.Duration(min(seconds, uint64(Max/time.Second))) * time.Second
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(date.Sub(now), 0), Max)
}
