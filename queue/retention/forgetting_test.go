// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"testing"
	"time"
)

func TestForgetAge(t *testing.T) {
	const day = 24 * time.Hour
	for _, tc := range []struct {
		retention, lag time.Duration
		overfull       bool
		want           time.Duration
	}{
		{30 * day, 0, false, 30 * day},
		{30 * day, time.Minute, true, time.Hour},
		{time.Hour, 2 * day, false, 2 * day},
		{30 * day, 2 * day, true, 2 * day},
	} {
		if got := forgetAge(tc.retention, tc.lag, tc.overfull); got != tc.want {
			t.Errorf("forgetAge(%v, %v, %v) is %v, want %v", tc.retention, tc.lag, tc.overfull, got, tc.want)
		}
	}
}
