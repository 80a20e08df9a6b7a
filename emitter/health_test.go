// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
)

func TestHealth(t *testing.T) {
	const days = 24 * time.Hour
	type step struct {
		at        time.Duration
		delivered bool
		want      change
	}
	for _, test := range []struct {
		name         string
		disableAfter time.Duration
		steps        []step
	}{
		{"works", 5 * days, []step{{0, true, unchanged}, {time.Hour, true, unchanged}}},
		{"fails for a moment", 5 * days, []step{{0, false, unchanged}, {time.Second, false, unchanged}, {2 * time.Second, false, unchanged}, {time.Minute, true, unchanged}}},
		{"fails and recovers", 5 * days, []step{
			{0, false, unchanged},
			{time.Minute, false, unchanged},
			{5*time.Minute - 1, false, unchanged},
			{5 * time.Minute, false, nowFailing},
			{time.Hour, false, unchanged},
			{days, true, recovered},
			{days + 1, true, unchanged},
		}},
		{"fails for five days", 5 * days, []step{
			{0, false, unchanged}, {time.Hour, false, unchanged}, {days, false, nowFailing}, {5*days - 1, false, unchanged}, {5 * days, false, exhausted},
		}},
		{"fails again after a success", 5 * days, []step{
			{0, false, unchanged},
			{time.Hour, false, unchanged},
			{2 * time.Hour, true, unchanged},
			{6 * days, false, unchanged},
			{6*days + 1, false, unchanged},
			{6*days + time.Hour, false, nowFailing},
		}},
		{"two failures far apart", 5 * days, []step{{0, false, unchanged}, {30 * days, false, unchanged}, {60 * days, false, exhausted}}},
		{"never disabled", endpoint.Never, []step{{0, false, unchanged}, {1, false, unchanged}, {365 * days, false, nowFailing}, {700 * days, false, unchanged}}},
	} {
		var h health
		for i, s := range test.steps {
			var got change
			if h, got = h.after(s.delivered, "503", epoch.Add(s.at), test.disableAfter); got != s.want {
				t.Errorf("%s: step %d gives %d, want %d", test.name, i, got, s.want)
			}
		}
	}
}
