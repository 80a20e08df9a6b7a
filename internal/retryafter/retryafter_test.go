// SPDX-License-Identifier: Apache-2.0

package retryafter_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/internal/retryafter"
)

func TestParse(t *testing.T) {
	now := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		value string
		want  time.Duration
	}{
		{"", 0},
		{"0", 0},
		{"120", 2 * time.Minute},
		{" 120 ", 2 * time.Minute},
		{"-1", 0},
		{"1.5", 0},
		{"soon", 0},
		{"99999999999999999", retryafter.Max},
		{"999999999999999999999999999", 0},
		{"Tue, 01 Sep 2026 12:05:00 GMT", 5 * time.Minute},
		{"Tue, 01 Sep 2026 11:00:00 GMT", 0},
		{"Sat, 01 Sep 9999 11:00:00 GMT", retryafter.Max},
	} {
		header := http.Header{"Retry-After": {test.value}}
		if got := retryafter.Parse(header, now); got != test.want {
			t.Errorf("%q: got %s, want %s", test.value, got, test.want)
		}
	}
	if got := retryafter.Parse(nil, now); got != 0 {
		t.Errorf("no header: got %s", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "120", "-1", "Tue, 01 Sep 2026 12:05:00 GMT", "9223372036854775807", "Tuesday, 01-Sep-26 12:05:00 GMT"} {
		f.Add(seed)
	}
	now := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		if got := retryafter.Parse(http.Header{"Retry-After": {value}}, now); got < 0 || got > retryafter.Max {
			t.Errorf("%q: %s", value, got)
		}
	})
}
