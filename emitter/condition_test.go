// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

func TestCondition(t *testing.T) {
	at, before := time.Unix(1_700_000_000, 0), time.Unix(1_600_000_000, 0)
	failed := health{since: at, failures: 2, reason: "answered 503 Service Unavailable"}
	announced := failed
	announced.announced = true
	for _, test := range []struct {
		name   string
		state  queue.EndpointState
		health health
		want   queue.EndpointState
	}{
		{"well", queue.EndpointState{Status: queue.EndpointActive}, health{}, queue.EndpointState{Status: queue.EndpointActive}},
		{
			"well since it was resumed",
			queue.EndpointState{Status: queue.EndpointActive, Since: before},
			health{},
			queue.EndpointState{Status: queue.EndpointActive, Since: before},
		},
		{
			"its last attempt failed",
			queue.EndpointState{Status: queue.EndpointActive, Since: before},
			failed,
			queue.EndpointState{Status: StatusRetrying, Since: at, Reason: failed.reason, FailingSince: at, Failures: 2},
		},
		{
			"announced",
			queue.EndpointState{Status: queue.EndpointActive, Reason: "an older one"},
			announced,
			queue.EndpointState{Status: StatusFailing, Since: at, Reason: failed.reason, FailingSince: at, Failures: 2},
		},
		{
			"paused while it fails",
			queue.EndpointState{Status: queue.EndpointPaused, Since: before, Reason: "moving"},
			announced,
			queue.EndpointState{Status: queue.EndpointPaused, Since: before, Reason: "moving", FailingSince: at, Failures: 2},
		},
		{
			"paused without a reason",
			queue.EndpointState{Status: queue.EndpointPaused, Since: before},
			health{},
			queue.EndpointState{Status: queue.EndpointPaused, Since: before, Reason: pausedReason},
		},
		{
			"disabled",
			queue.EndpointState{Status: queue.EndpointDisabled, Since: before, Reason: "410", FailingSince: before, Failures: 9},
			failed,
			queue.EndpointState{Status: queue.EndpointDisabled, Since: before, Reason: "410", FailingSince: before, Failures: 9},
		},
	} {
		if got := condition(test.state, test.health); got != test.want {
			t.Errorf("%s: got %+v, want %+v", test.name, got, test.want)
		}
	}
}

// TestOneWordForATrouble: lists, operational events and the log tell of an endpoint
// that fails in the same words, at the same time, over a restart too.
func TestOneWordForATrouble(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		logger, logs := observer.New(zapcore.WarnLevel)
		var told notices
		kept := newStates()
		o := newOutage(t, http.StatusServiceUnavailable)
		options := Options{Jitter: noJitter, Logger: zap.New(logger), Notify: told.notify, States: kept}
		o.emitter = New(o.store, options)
		began := time.Now()
		const reason = "answered 503 Service Unavailable"
		want := func(when string, status queue.EndpointStatus) {
			t.Helper()
			synctest.Wait()
			got := o.emitter.Standings()["erp"]
			if got.Status != status || got.Reason != reason || !got.Since.Equal(began) || !got.FailingSince.Equal(began) {
				t.Errorf("%s: got %+v", when, got.EndpointState)
			}
		}
		o.apply(t, o.target(t, "erp"))
		o.publish(t, "1", []string{"erp"}, nil)
		want("at once", StatusRetrying)
		time.Sleep(failingAfter - time.Second)
		want("before five minutes", StatusRetrying)
		if told.types() != "" || logs.Len() != 0 {
			t.Errorf("too early: %s, %v", told.types(), logs.All())
		}
		time.Sleep(10 * time.Minute)
		want("after them", StatusFailing)
		if told.types() != EndpointFailing {
			t.Fatalf("told %s", told.types())
		}
		if state := told.all[0].State; state.Status != StatusFailing || state.Reason != reason || !state.Since.Equal(began) {
			t.Errorf("told %+v", state)
		}
		line := logs.FilterMessage("the endpoint is failing").All()
		if len(line) != 1 || line[0].ContextMap()["reason"] != reason || !line[0].ContextMap()["since"].(time.Time).Equal(began) {
			t.Errorf("logged %v", line)
		}
		o.emitter.Stop(t.Context())
		o.emitter = New(o.store, options)
		defer func() { o.emitter.Stop(t.Context()) }()
		o.apply(t, o.target(t, "erp"))
		want("after a restart", StatusFailing)
		o.code.Store(http.StatusOK)
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := o.emitter.Standings()["erp"]; got.Status != queue.EndpointActive || got.Reason != "" || got.Failures != 0 {
			t.Errorf("when it works: %+v", got.EndpointState)
		}
		if row := kept.of(t, "erp"); !row.IsZero() {
			t.Errorf("kept is %+v", row)
		}
	})
}
