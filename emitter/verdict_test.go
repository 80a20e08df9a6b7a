// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

func TestClassify(t *testing.T) {
	for code := range 1000 {
		want := failed
		if code/100 == 2 {
			want = delivered
		}
		if got := classify(code, nil); got != want {
			t.Errorf("%d: got %d", code, got)
		}
		if classify(code, errors.New("broke off")) != failed {
			t.Errorf("%d with an error is success", code)
		}
	}
}

func TestDecide(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	schedule := Schedule{time.Minute, time.Hour}
	for _, test := range []struct {
		name     string
		result   outcome
		attempts int
		asked    time.Duration
		want     queue.Verdict
	}{
		{"success at once", delivered, 1, 0, queue.Verdict{Status: queue.StatusDelivered}},
		{"success at last", delivered, 3, 0, queue.Verdict{Status: queue.StatusDelivered}},
		{"success after more than the schedule, by hand", delivered, 9, 0, queue.Verdict{Status: queue.StatusDelivered}},
		{"first failure", failed, 1, 0, queue.Verdict{Status: queue.StatusPending, RetryAt: now.Add(time.Minute)}},
		{"first failure, asked for time", failed, 1, 10 * time.Minute, queue.Verdict{Status: queue.StatusPending, RetryAt: now.Add(11 * time.Minute)}},
		{"second failure", failed, 2, 0, queue.Verdict{Status: queue.StatusPending, RetryAt: now.Add(time.Hour)}},
		{"last failure", failed, 3, 0, queue.Verdict{Status: queue.StatusDead}},
		{"last failure, asked for time", failed, 3, time.Hour, queue.Verdict{Status: queue.StatusDead}},
		{"failure after a shortened schedule", failed, 9, 0, queue.Verdict{Status: queue.StatusDead}},
	} {
		if got := decide(test.result, test.attempts, schedule, 0.5, test.asked, now); got != test.want {
			t.Errorf("%s: got %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
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
		{"99999999999999999", maxAsked},
		{"999999999999999999999999999", 0},
		{"Tue, 01 Sep 2026 12:05:00 GMT", 5 * time.Minute},
		{"Tue, 01 Sep 2026 11:00:00 GMT", 0},
		{"Sat, 01 Sep 9999 11:00:00 GMT", maxAsked},
	} {
		header := http.Header{"Retry-After": {test.value}}
		if got := retryAfter(header, now); got != test.want {
			t.Errorf("%q: got %s, want %s", test.value, got, test.want)
		}
	}
	if got := retryAfter(nil, now); got != 0 {
		t.Errorf("no header: got %s", got)
	}
}
