// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/internal/retryafter"
)

func TestScheduleNext(t *testing.T) {
	standard := Schedule(endpoint.DefaultSchedule())
	for _, test := range []struct {
		schedule Schedule
		attempts int
		jitter   float64
		want     time.Duration
		ok       bool
	}{
		{standard, 1, 0.5, 5 * time.Second, true},
		{standard, 1, 0, 4 * time.Second, true},
		{standard, 2, 0.5, 5 * time.Minute, true},
		{standard, 3, 0.5, 30 * time.Minute, true},
		{standard, 4, 0.5, 2 * time.Hour, true},
		{standard, 5, 0.5, 5 * time.Hour, true},
		{standard, 6, 0.5, 10 * time.Hour, true},
		{standard, 7, 0.5, 14 * time.Hour, true},
		{standard, 8, 0.5, 20 * time.Hour, true},
		{standard, 9, 0.5, 24 * time.Hour, true},
		{standard, 10, 0.5, 0, false},
		{standard, 1000, 0.5, 0, false},
		{standard, 0, 0.5, 0, false},
		{standard, -1, 0.5, 0, false},
		{Schedule{}, 1, 0.5, 0, false},
		{nil, 1, 0.5, 0, false},
		{Schedule{endpoint.MaxRetryDelay}, 1, 0.5, endpoint.MaxRetryDelay, true},
	} {
		got, ok := test.schedule.Next(test.attempts, test.jitter)
		if got != test.want || ok != test.ok {
			t.Errorf("%v after %d attempts with jitter %g: got %s, %t", test.schedule, test.attempts, test.jitter, got, ok)
		}
	}
}

func TestScheduleNextAsked(t *testing.T) {
	schedule := Schedule{5 * time.Second, 5 * time.Minute, 30 * time.Minute}
	for _, test := range []struct {
		name     string
		attempts int
		jitter   float64
		asked    time.Duration
		want     time.Duration
		ok       bool
	}{
		{"nothing", 1, 0.5, 0, 5 * time.Second, true},
		{"less than the step", 2, 0.5, time.Minute, 5 * time.Minute, true},
		{"more than the step", 1, 0, time.Minute, time.Minute, true},
		{"more, spread", 1, 0.5, time.Minute, 66 * time.Second, true},
		{"more than the following step", 1, 0.9, time.Hour, 5 * time.Minute, true},
		{"more than the last step", 3, 0.9, time.Hour, 34*time.Minute + 48*time.Second, true},
		{"more than the last step, early", 3, 0, time.Hour, 30 * time.Minute, true},
		{"when no attempt is left", 4, 0.5, time.Minute, 0, false},
	} {
		got, ok := schedule.NextAsked(test.attempts, test.jitter, test.asked)
		if (got-test.want).Abs() > time.Millisecond || ok != test.ok {
			t.Errorf("%s: got %s, %t, want %s", test.name, got, ok, test.want)
		}
	}
}

func TestScheduleStaysInItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		schedule := Schedule(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.Int64Range(1, int64(endpoint.MaxRetryDelay)).Draw(t, "delay"))
		}), 0, 12).Draw(t, "schedule"))
		attempts := rapid.IntRange(1, 14).Draw(t, "attempts")
		jitter := rapid.Float64Range(0, 0.999999).Draw(t, "jitter")
		asked := time.Duration(rapid.Int64Range(0, int64(retryafter.Max)).Draw(t, "asked"))

		delay, ok := schedule.Next(attempts, jitter)
		if ok != (attempts <= len(schedule)) {
			t.Fatalf("attempt %d of %d: another is %t", attempts, len(schedule)+1, ok)
		}
		if !ok {
			return
		}
		step := float64(schedule[attempts-1])
		if d := float64(delay); d < 0.8*step-1 || d > 1.2*step {
			t.Fatalf("%s is not within a fifth of %s", delay, schedule[attempts-1])
		}
		extended, ok := schedule.NextAsked(attempts, jitter, asked)
		following := schedule[min(attempts, len(schedule)-1)]
		if !ok || extended < delay || extended > max(delay, following) {
			t.Fatalf("asked for a pause of %s: %s, not between %s and %s", asked, extended, delay, following)
		}
	})
}
