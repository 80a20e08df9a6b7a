// SPDX-License-Identifier: Apache-2.0

package record

import (
	"testing"
	"time"
)

// Times keep all but their zone.
func FuzzTime(f *testing.F) {
	f.Add(int64(0), int64(0))
	f.Add(int64(-unixToYear1), int64(0))
	f.Add(int64(1_772_600_767), int64(999_999_999))
	f.Fuzz(func(t *testing.T, seconds, nanos int64) {
		if seconds < -unixToYear1 || seconds > 1<<40 || nanos < 0 || nanos >= 1e9 {
			t.Skip()
		}
		want := time.Unix(seconds, nanos).UTC()
		r := Reader{Rest: AppendTime(nil, want)}
		if got := r.Time(); r.End() != nil || !got.Equal(want) || got.IsZero() != want.IsZero() {
			t.Errorf("%v became %v and %v", want, got, r.Err)
		}
	})
}
