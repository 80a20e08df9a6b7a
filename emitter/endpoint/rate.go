// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rate limits how many attempts an endpoint gets per unit of time. The zero
// Rate is no limit.
type Rate struct {
	// Count is the number of attempts, and Per the unit of time.
	Count int
	Per   time.Duration
}

// MaxRate is the highest count of a rate.
const MaxRate = 1_000_000

// ParseRate reads a rate: a number, a slash, and s, m or h, as in "10/s".
// Errors are [ErrBadEndpoint].
func ParseRate(text string) (Rate, error) {
	count, unit, _ := strings.Cut(text, "/")
	n, err := strconv.Atoi(count)
	per, known := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[unit]
	if err != nil || !known || n < 1 || n > MaxRate {
		return Rate{}, fmt.Errorf("%w: rate %q is not a rate; write a number from 1 to %d and its time, as 10/s, 300/m or 1000/h", ErrBadEndpoint, text, MaxRate)
	}
	return Rate{Count: n, Per: per}, nil
}

// IsZero reports whether the rate is no limit.
func (r Rate) IsZero() bool {
	return r == Rate{}
}

// PerSecond returns the rate as a number.
func (r Rate) PerSecond() float64 {
	return float64(r.Count) / r.Per.Seconds()
}

// Burst is how many attempts may be made at once after a pause: a tenth of a
// second's worth, and at least one. It makes up for timers that fire late.
func (r Rate) Burst() int {
	return max(1, int(r.PerSecond()/10))
}

// String returns the rate in the form of the Caddyfile.
func (r Rate) String() string {
	switch r.Per {
	case 0:
		return ""
	case time.Minute:
		return strconv.Itoa(r.Count) + "/m"
	case time.Hour:
		return strconv.Itoa(r.Count) + "/h"
	default:
		return strconv.Itoa(r.Count) + "/s"
	}
}

func (r Rate) valid() bool {
	return r.IsZero() || r.Count >= 1 && r.Count <= MaxRate && (r.Per == time.Second || r.Per == time.Minute || r.Per == time.Hour)
}
