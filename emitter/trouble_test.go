// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
)

// states is a queue that keeps endpoints' states, or fails.
type states struct {
	*memory.Store
	puts int
	err  error
}

func newStates() *states { return &states{Store: memory.New(time.Now)} }

func (s *states) Change(ctx context.Context, changes ...queue.Record) (uint64, error) {
	if s.err != nil {
		return 0, s.err
	}
	s.puts++
	return s.Store.Change(ctx, changes...)
}

func (s *states) Records(ctx context.Context, kind string, page queue.Page) ([]queue.Record, queue.Cursor, error) {
	if s.err != nil {
		return nil, "", s.err
	}
	return s.Store.Records(ctx, kind, page)
}

// of returns the stored state of an endpoint, the zero state for none.
func (s *states) of(t *testing.T, name string) queue.EndpointState {
	t.Helper()
	kept, err := s.Record(t.Context(), queue.KindState, name)
	if errors.Is(err, queue.ErrNotFound) {
		return queue.EndpointState{}
	}
	if err != nil {
		t.Fatal(err)
	}
	state, err := queue.EndpointStateOf(kept)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// put stores a state as another process does.
func (s *states) put(t *testing.T, state queue.EndpointState) {
	t.Helper()
	kept, err := state.Record(queue.AnyVersion)
	if err == nil {
		_, err = s.Store.Change(t.Context(), kept)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// notices records the notices for operators.
type notices struct {
	mu  sync.Mutex
	all []Notice
}

func (n *notices) notify(notice Notice) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, notice)
}

func (n *notices) types() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var types []string
	for _, notice := range n.all {
		types = append(types, notice.Type)
	}
	return strings.Join(types, " ")
}

// TestReceiverThatComesBack has a receiver come back after half a day: it gets
// the backlog within little more than the longest rest, and not all of it at
// once.
func TestReceiverThatComesBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		var down atomic.Bool
		down.Store(true)
		var inFlight, most atomic.Int64
		w.receivers.answer = func(ctx context.Context, _ got) (int, error) {
			if down.Load() {
				return hang(ctx)
			}
			most.Store(max(most.Load(), inFlight.Add(1)))
			defer inFlight.Add(-1)
			time.Sleep(10 * time.Millisecond)
			return http.StatusOK, nil
		}
		target := w.target(t, "erp")
		target.Endpoint.Schedule = slices.Repeat([]time.Duration{time.Minute}, 100)
		w.apply(t, target)
		for i := range 300 {
			w.publish(t, strconv.Itoa(i), []string{"erp"}, nil)
		}
		time.Sleep(12 * time.Hour)
		synctest.Wait()
		if standing := w.emitter.Standings()["erp"]; !standing.Down || standing.Allowed != 1 || standing.Status != StatusFailing {
			t.Errorf("while it is down: %+v", standing)
		}
		tried := len(w.receivers.of("erp"))
		if tried > 64+12*60 {
			t.Errorf("%d attempts while it was down", tried)
		}
		down.Store(false)
		// One attempt may hang, and one rest pass.
		time.Sleep(endpoint.DefaultTimeout + maxRest*12/10 + time.Millisecond)
		synctest.Wait()
		if n := len(w.receivers.of("erp")); n == tried || most.Load() > 64 {
			t.Errorf("%d attempts since it came back, %d at once", n-tried, most.Load())
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		for _, delivery := range deliveries(t, w.store, queue.Filter{}) {
			if delivery.Status != queue.StatusDelivered {
				t.Errorf("%+v", delivery)
			}
		}
		if standing := w.emitter.Standings()["erp"]; standing.Down || standing.Allowed != 64 || standing.Failures != 0 {
			t.Errorf("when it is back: %+v", standing)
		}
	})
}

// TestReceiverIsNotMetByAll checks that a receiver that comes back does not get
// the whole backlog at once: it gets one attempt first, and then one more with
// each success.
func TestReceiverIsNotMetByAll(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		var down atomic.Bool
		down.Store(true)
		var perSecond [20]atomic.Int64
		back := time.Now().Add(minRest)
		w.receivers.answer = func(context.Context, got) (int, error) {
			if down.Load() {
				return http.StatusInternalServerError, nil
			}
			perSecond[int(time.Since(back).Seconds())].Add(1)
			time.Sleep(time.Second)
			return http.StatusOK, nil
		}
		target := w.target(t, "erp")
		target.Endpoint.Schedule = slices.Repeat([]time.Duration{time.Second}, 100)
		target.Endpoint.Concurrency = 16
		for i := range 200 {
			w.publish(t, strconv.Itoa(i), []string{"erp"}, nil)
		}
		w.apply(t, target)
		synctest.Wait()
		if n := len(w.receivers.of("erp")); n > tripAfter+target.Endpoint.Concurrency {
			t.Errorf("%d attempts before it was found down", n)
		}
		down.Store(false)
		time.Sleep(minRest + 6*time.Second - 1)
		synctest.Wait()
		var got []int64
		for i := range 6 {
			got = append(got, perSecond[i].Load())
		}
		if !slices.Equal(got, []int64{1, 2, 4, 8, 16, 16}) {
			t.Errorf("attempts per second: %v", got)
		}
	})
}

// TestGoneDisables stops everything until the endpoint is resumed, and then
// delivers the kept events, in order.
func TestGoneDisables(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		told, kept := &notices{}, newStates()
		w := newWorld(t, Options{Notify: told.notify, States: kept})
		code := atomic.Int64{}
		code.Store(http.StatusGone)
		w.receivers.answer = func(context.Context, got) (int, error) { return int(code.Load()), nil }
		w.apply(t, w.target(t, "erp"))
		w.publish(t, "1", []string{"erp"}, nil)
		synctest.Wait()
		for range 3 {
			w.publish(t, "1", []string{"erp"}, nil)
		}
		time.Sleep(30 * 24 * time.Hour)
		synctest.Wait()
		if n := len(w.receivers.of("erp")); n != 1 || told.types() != EndpointDisabled {
			t.Errorf("%d attempts, told %q", n, told.types())
		}
		if state := kept.of(t, "erp"); state.Status != queue.EndpointDisabled || state.Reason != "its receiver answered 410 Gone" || state.Since.IsZero() {
			t.Errorf("kept %+v", state)
		}
		code.Store(http.StatusOK)
		if err := w.emitter.Resume(t.Context(), "erp"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := events(w.receivers.of("erp")); got != "1_1 1_1 1_2 1_3 1_4" {
			t.Errorf("delivered %s", got)
		}
		if told.types() != EndpointDisabled+" "+EndpointRecovered || !(kept.of(t, "erp") == queue.EndpointState{}) {
			t.Errorf("told %q, kept %+v", told.types(), kept.of(t, "erp"))
		}
		if err := w.emitter.Resume(t.Context(), "erp"); err != nil || kept.puts != 2 {
			t.Errorf("resumed again: %v, kept %d times", err, kept.puts)
		}
	})
}

// TestFiveDaysOfFailures disables an endpoint that gets events all the time,
// and not one day sooner; one that succeeds once a day continues.
func TestFiveDaysOfFailures(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		told := &notices{}
		w := newWorld(t, Options{Notify: told.notify})
		began := time.Now()
		w.receivers.answer = func(_ context.Context, g got) (int, error) {
			if g.host == "crm.example" && time.Since(began)%(24*time.Hour) < time.Hour {
				return http.StatusOK, nil
			}
			return http.StatusInternalServerError, nil
		}
		erp, crm := w.target(t, "erp"), w.target(t, "crm")
		erp.Endpoint.Schedule, crm.Endpoint.Schedule = []time.Duration{}, []time.Duration{}
		w.apply(t, erp, crm)
		for i := range 24 * 7 {
			w.publish(t, strconv.Itoa(i), []string{"erp", "crm"}, nil)
			time.Sleep(time.Hour)
		}
		synctest.Wait()
		var disabled []Notice
		counts := map[string]int{}
		for _, notice := range told.all {
			counts[notice.State.Name+" "+notice.Type]++
			if notice.Type == EndpointDisabled {
				disabled = append(disabled, notice)
			}
		}
		if len(disabled) != 1 || disabled[0].State.Name != "erp" || disabled[0].At.Sub(began) != 5*24*time.Hour {
			t.Errorf("disabled: %+v", disabled)
		}
		if n := len(w.receivers.of("crm")); n != 24*7 {
			t.Errorf("crm got %d attempts", n)
		}
		if counts["erp "+EndpointFailing] != 1 || counts["crm "+EndpointFailing] != 7 || counts["crm "+EndpointRecovered] != 6 {
			t.Errorf("told %v", counts)
		}
		if counts["erp "+DeliveryExhausted] != 5*24+1 {
			t.Errorf("told %v", counts)
		}
	})
}

// TestPause stops attempts across reloads and restarts, and loses nothing.
func TestPause(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		kept := newStates()
		w := newWorld(t, Options{States: kept})
		target := w.target(t, "erp")
		w.apply(t, target)
		if err := w.emitter.Pause(t.Context(), "erp", "maintenance"); err != nil {
			t.Fatal(err)
		}
		w.publish(t, "1", []string{"erp"}, nil)
		time.Sleep(time.Hour)
		target.Endpoint.Timeout = time.Second
		w.apply(t, target)
		time.Sleep(time.Hour)
		w.emitter.Stop(t.Context())
		w.emitter = New(w.store, Options{States: kept})
		w.apply(t, target)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(w.receivers.of("erp")); n != 0 {
			t.Errorf("%d attempts while it is paused", n)
		}
		if state := w.emitter.Standings()["erp"]; state.Status != queue.EndpointPaused || state.Reason != "maintenance" {
			t.Errorf("%+v", state)
		}
		if err := w.emitter.Resume(t.Context(), "erp"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := len(w.receivers.of("erp")); n != 1 {
			t.Errorf("%d attempts when it is resumed", n)
		}
		if err := w.emitter.Pause(t.Context(), "crm", ""); !errors.Is(err, ErrUnknownEndpoint) {
			t.Errorf("pausing an unknown endpoint: %v", err)
		}
	})
}

// TestStatesThatCannotBeRead checks that nothing is delivered then: one of the
// endpoints may have been paused.
func TestStatesThatCannotBeRead(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		kept := newStates()
		kept.err = errors.New("input/output error")
		w := newWorld(t, Options{States: kept})
		if err := w.emitter.Apply([]Target{w.target(t, "erp")}); !errors.Is(err, kept.err) {
			t.Fatalf("got %v", err)
		}
		kept.err = nil
		w.apply(t, w.target(t, "erp"))
	})
}

// TestTroubleAboutTrouble sends no notice of a message about trouble that could
// not be delivered.
func TestTroubleAboutTrouble(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		told := &notices{}
		w := newWorld(t, Options{Notify: told.notify})
		w.receivers.answer = func(context.Context, got) (int, error) { return http.StatusBadRequest, nil }
		target := w.target(t, "ops")
		target.Endpoint.Schedule = []time.Duration{}
		w.apply(t, target)
		w.publishOf(t, OperationalResource, "erp", []string{"ops"}, nil)
		w.publish(t, "1", []string{"ops"}, nil)
		synctest.Wait()
		if told.types() != DeliveryExhausted || told.all[0].Delivery.Key.Resource != "items" || told.all[0].Attempt.Code != 400 {
			t.Errorf("told %+v", told.all)
		}
	})
}

// TestWordsOfTheReceiver.
func TestWordsOfTheReceiver(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		target := w.target(t, "erp")
		target.Transport = roundTripper(func(request *http.Request) (*http.Response, error) {
			response, err := w.receivers.RoundTrip(request)
			switch {
			case err != nil:
			case strings.HasPrefix(request.Header.Get("webhook-id"), "evt_abort"):
				response.StatusCode = http.StatusBadRequest
				response.Header.Set("Webhook-Delivery", "abort-message")
			case strings.HasPrefix(request.Header.Get("webhook-id"), "evt_stop"):
				response.Header.Set("Webhook-Delivery", "disable")
			}
			return response, err
		})
		w.apply(t, target)
		w.publish(t, "abort", []string{"erp"}, nil)
		w.publish(t, "stop", []string{"erp"}, nil)
		time.Sleep(100 * time.Hour)
		w.publish(t, "after", []string{"erp"}, nil)
		time.Sleep(100 * time.Hour)
		synctest.Wait()
		if n := len(w.receivers.of("erp")); n != 2 {
			t.Errorf("%d attempts", n)
		}
		got := map[string]queue.Status{}
		for _, delivery := range deliveries(t, w.store, queue.Filter{}) {
			got[delivery.EventID] = delivery.Status
		}
		if got["evt_abort_1"] != queue.StatusDead || got["evt_stop_1"] != queue.StatusDelivered || got["evt_after_1"] != queue.StatusPending {
			t.Errorf("got %v", got)
		}
		if made := attempts(t, w.store, queue.Filter{EventID: "evt_abort_1"}); !strings.HasSuffix(made[0].Error, "asked not to be sent this again") {
			t.Errorf("recorded %+v", made)
		}
	})
}

// TestThrottling leaves an endpoint alone for as long as its receiver asks, and
// other endpoints not at all.
func TestThrottling(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		began := time.Now()
		target := w.target(t, "erp")
		target.Endpoint.Schedule = []time.Duration{time.Hour, time.Hour, time.Hour}
		target.Transport = roundTripper(func(request *http.Request) (*http.Response, error) {
			response, err := w.receivers.RoundTrip(request)
			if err == nil && time.Since(began) < 30*time.Minute {
				response.StatusCode = http.StatusTooManyRequests
				response.Header.Set("Retry-After", time.Now().Add(40*time.Minute).UTC().Format(http.TimeFormat))
			}
			return response, err
		})
		w.apply(t, target, w.target(t, "crm"))
		w.publish(t, "0", []string{"erp", "crm"}, nil)
		synctest.Wait()
		for i := range 100 {
			w.publish(t, strconv.Itoa(i), []string{"erp", "crm"}, nil)
		}
		time.Sleep(40*time.Minute - 1)
		synctest.Wait()
		if erp, crm := len(w.receivers.of("erp")), len(w.receivers.of("crm")); erp != 1 || crm != 101 {
			t.Errorf("%d attempts at erp, %d at crm", erp, crm)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if erp := len(w.receivers.of("erp")); erp != 102 {
			t.Errorf("%d attempts at erp afterwards", erp)
		}
	})
}

// TestPanic checks that a panic in a transport or a signature costs one
// attempt, and not the process that serves the API.
func TestPanic(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		target := w.target(t, "erp")
		var calm atomic.Bool
		target.Transport = roundTripper(func(request *http.Request) (*http.Response, error) {
			if !calm.Swap(true) {
				panic(fmt.Sprint("canary ", request.URL))
			}
			return w.receivers.RoundTrip(request)
		})
		w.apply(t, target)
		w.publish(t, "1", []string{"erp"}, nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		made := attempts(t, w.store, queue.Filter{})
		if len(made) != 2 || made[0].Error != errPanic.Error() || made[1].Code != 204 {
			t.Errorf("attempts: %+v", made)
		}
	})
}
