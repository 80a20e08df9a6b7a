// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"strings"
	"testing"
	"time"
)

func TestRecordBudget(t *testing.T) {
	b, now := NewRecordBudget(), time.Unix(1_700_000_000, 0)
	kept := 0
	for range 4000 {
		if b.Spend("no id", now) == "no id" {
			kept++
		}
	}
	if kept != recordBurst {
		t.Errorf("%d are kept, want %d", kept, recordBurst)
	}
	got := b.Spend("no id", now.Add(recordEvery))
	if !strings.HasPrefix(got, "no id (and 3900 more") {
		t.Errorf("the next one says %q", got)
	}
	if got := b.Spend("no id", now.Add(recordEvery)); got != "" {
		t.Errorf("another in the same minute says %q", got)
	}
	if got := b.Spend("no id", now.Add(24*time.Hour)); !strings.Contains(got, "and 1 more") {
		t.Errorf("a day later, it says %q", got)
	}
}
