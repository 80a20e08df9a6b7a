// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/internal/retryafter"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// TestRuleOfEveryStatus compares every status with the text of Standard
// Webhooks.
func TestRuleOfEveryStatus(t *testing.T) {
	for code := range 1000 {
		want := ruling{
			delivered: code/100 == 2,
			throttled: slices.Contains([]int{429, 502, 503, 504}, code),
			down:      code >= 500 || code == 429 || code == 408,
		}
		if code == 410 {
			want.disable = "its receiver answered 410 Gone"
		}
		if got := rule(code, "", nil, endpoint.Statuses{}); got != want {
			t.Errorf("%d: got %+v, want %+v", code, got, want)
		}
		if got := rule(code, wordDisable, errors.New("broke off"), endpoint.Statuses{}); got != (ruling{down: true}) {
			t.Errorf("%d with an error: got %+v", code, got)
		}
	}
}

// If our proxy fails, the receiver is not to blame: the endpoint's health does
// not suffer, however long that lasts.
func TestProxyIsNoReceiver(t *testing.T) {
	meant := rule(0, "", fmt.Errorf("sending: %w", egress.ErrProxy), endpoint.Statuses{})
	if meant != (ruling{down: true, ours: true}) {
		t.Fatalf("got %+v", meant)
	}
	s := newStanding("erp")
	at := time.Unix(1_700_000_000, 0)
	for range 100 {
		at = at.Add(time.Hour)
		s.receiver("r").inFlight++
		if changed, state := s.end(limits{receiver: "r", perReceiver: 1}, "r", finished{ruling: meant, began: at, ended: at}, time.Hour); changed != unchanged || state.Status == queue.EndpointDisabled {
			t.Fatalf("changed %d, state %+v", changed, state)
		}
	}
}

func TestRule(t *testing.T) {
	disable := "its receiver answered webhook-delivery: disable"
	success, err := endpoint.ParseStatuses("200", "302", "410", "503")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		code    int
		word    string
		success endpoint.Statuses
		want    ruling
	}{
		{"disable with a success", 200, "disable", endpoint.Statuses{}, ruling{delivered: true, disable: disable}},
		{"disable with a failure", 400, " Disable ", endpoint.Statuses{}, ruling{disable: disable}},
		{"abort with a failure", 400, "abort-message", endpoint.Statuses{}, ruling{final: true}},
		{"abort while down", 503, "abort-message", endpoint.Statuses{}, ruling{final: true, down: true, throttled: true}},
		{"abort with a success", 200, "abort-message", endpoint.Statuses{}, ruling{delivered: true}},
		{"an unknown word", 400, "explode", endpoint.Statuses{}, ruling{}},
		{"a redirect that is success", 302, "", success, ruling{delivered: true}},
		{"gone that is success", 410, "", success, ruling{delivered: true}},
		{"unavailable that is success", 503, "", success, ruling{delivered: true}},
		{"204 that is not success", 204, "", success, ruling{}},
	} {
		if got := rule(test.code, test.word, nil, test.success); got != test.want {
			t.Errorf("%s: got %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestDecide(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	schedule := Schedule{time.Minute, time.Hour}
	pending := func(delay time.Duration) queue.Verdict {
		return queue.Verdict{Status: queue.StatusPending, RetryAt: now.Add(delay)}
	}
	done, dead := queue.Verdict{Status: queue.StatusDelivered}, queue.Verdict{Status: queue.StatusDead}
	for _, test := range []struct {
		name   string
		ruling ruling
		trial  trial
		want   queue.Verdict
	}{
		{"success at once", ruling{delivered: true}, trial{attempts: 1}, done},
		{"success at last", ruling{delivered: true}, trial{attempts: 3}, done},
		{"success after more than the schedule, by hand", ruling{delivered: true}, trial{attempts: 9}, done},
		{"success after the deadline", ruling{delivered: true}, trial{attempts: 1, deadline: now.Add(-time.Hour)}, done},
		{"first failure", ruling{}, trial{attempts: 1}, pending(time.Minute)},
		{"first failure, asked for time", ruling{}, trial{attempts: 1, asked: 10 * time.Minute}, pending(11 * time.Minute)},
		{"first failure, asked for a year", ruling{}, trial{attempts: 1, asked: retryafter.Max}, pending(time.Hour)},
		{"second failure", ruling{}, trial{attempts: 2}, pending(time.Hour)},
		{"last failure", ruling{}, trial{attempts: 3}, dead},
		{"last failure, asked for time", ruling{}, trial{attempts: 3, asked: time.Hour}, dead},
		{"failure after a shortened schedule", ruling{}, trial{attempts: 9}, dead},
		{"the receiver does not want it", ruling{final: true}, trial{attempts: 1}, dead},
		{"a retry before the deadline", ruling{}, trial{attempts: 1, deadline: now.Add(time.Minute)}, pending(time.Minute)},
		{"a retry after the deadline", ruling{}, trial{attempts: 1, deadline: now.Add(time.Minute - 1)}, dead},
		{"gone, and to be kept", ruling{disable: "gone"}, trial{attempts: 1}, pending(time.Minute)},
	} {
		test.trial.ended, test.trial.jitter = now, 0.5
		if got := decide(test.ruling, test.trial, schedule); got != test.want {
			t.Errorf("%s: got %+v, want %+v", test.name, got, test.want)
		}
	}
}
