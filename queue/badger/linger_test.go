// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"testing"
	"time"
)

func TestLinger(t *testing.T) {
	for _, test := range []struct {
		shared, underWay int
		took             time.Duration
		want             time.Duration
	}{
		{0, 64, 0, 0},
		{1, 64, time.Millisecond, 0},
		{64, 0, time.Millisecond, 0},
		{64, minUnderWay - 1, time.Millisecond, 0},
		{2, minUnderWay, 100 * time.Microsecond, 100 * time.Microsecond},
		{64, 64, time.Second, maxLinger},
	} {
		if got := linger(test.shared, test.underWay, test.took); got != test.want {
			t.Errorf("linger(%d, %d, %v) = %v, want %v", test.shared, test.underWay, test.took, got, test.want)
		}
	}
}
