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

func TestMergedStates(t *testing.T) {
	state := func(status queue.EndpointStatus, reason string) queue.EndpointState {
		return queue.EndpointState{Status: status, Reason: reason}
	}
	const active, paused, disabled = queue.EndpointActive, queue.EndpointPaused, queue.EndpointDisabled
	for _, test := range []struct {
		ours, theirs queue.EndpointStatus
		by           author
		want         string
	}{
		{active, active, byAttempt, "ours"},
		{active, paused, byAttempt, "theirs"},
		{active, disabled, byAttempt, "theirs"},
		{disabled, active, byAttempt, "ours"},
		{disabled, paused, byAttempt, "theirs"},
		{disabled, disabled, byAttempt, "ours"},
		{paused, active, byAttempt, "ours"},
		{active, paused, byOperator, "ours"},
		{active, disabled, byOperator, "ours"},
		{paused, disabled, byOperator, "ours"},
		{paused, active, byOperator, "ours"},
	} {
		got := merged(state(test.ours, "ours"), state(test.theirs, "theirs"), test.by)
		if got.Reason != test.want {
			t.Errorf("%s, and %s there, by operator %v: got %+v, want %s", test.ours, test.theirs, test.by, got, test.want)
		}
	}
}

// An endpoint that fails here while it is paused elsewhere is paused, and not only
// until the next failure is noted.
func TestPausedElsewhere(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		kept := newStates()
		o := newOutage(t, http.StatusServiceUnavailable)
		o.emitter = New(o.store, Options{Jitter: noJitter, States: kept})
		o.apply(t, o.target(t, "erp"))
		defer func() { o.emitter.Stop(t.Context()) }()
		paused := queue.EndpointState{Name: "erp", Status: queue.EndpointPaused, Reason: "moving"}
		kept.put(t, paused)
		o.publish(t, "1", []string{"erp"}, nil)
		time.Sleep(failingAfter + time.Hour)
		synctest.Wait()
		if got := kept.of(t, "erp"); got != paused {
			t.Errorf("kept %+v", got)
		}
		if got := o.emitter.Status("erp"); got != queue.EndpointPaused {
			t.Errorf("it is %s", got)
		}

		// What an operator says here is the last word, whatever was said elsewhere.
		kept.put(t, queue.EndpointState{Name: "erp", Status: queue.EndpointDisabled, Reason: "elsewhere"})
		if err := o.emitter.Resume(t.Context(), "erp"); err != nil {
			t.Fatal(err)
		}
		if got := kept.of(t, "erp"); !got.IsZero() {
			t.Errorf("kept %+v", got)
		}
		for _, reason := range []string{"one", "two"} {
			if err := o.emitter.Pause(t.Context(), "erp", reason); err != nil {
				t.Fatal(err)
			}
			if got := kept.of(t, "erp"); got.Status != queue.EndpointPaused || got.Reason != reason {
				t.Errorf("kept %+v", got)
			}
			if err := o.emitter.Resume(t.Context(), "erp"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A state that cannot be read holds up nobody, is told of, and can be set again.
func TestStateThatCannotBeRead(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		logger, logs := observer.New(zapcore.ErrorLevel)
		kept := newStates()
		junk := queue.Record{Kind: queue.KindState, ID: "erp", Value: []byte("{")}
		if _, err := kept.Store.Change(t.Context(), junk); err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, Options{States: kept, Logger: zap.New(logger)})
		w.apply(t, w.target(t, "erp"), w.target(t, "crm"))
		if logs.FilterMessageSnippet("cannot be read").Len() != 1 || w.emitter.Status("erp") != queue.EndpointActive {
			t.Errorf("logged %v", logs.All())
		}
		junk.Version = queue.AnyVersion
		if _, err := kept.Store.Change(t.Context(), junk); err != nil {
			t.Fatal(err)
		}
		if err := w.emitter.Pause(t.Context(), "erp", "moving"); err != nil {
			t.Fatal(err)
		}
		if got := kept.of(t, "erp"); got.Status != queue.EndpointPaused {
			t.Errorf("kept %+v", got)
		}
	})
}
