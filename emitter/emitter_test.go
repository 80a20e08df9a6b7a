// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/testflags"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
)

func TestMain(m *testing.M) {
	testflags.Checks(40)
	goleak.VerifyTestMain(m)
}

// noJitter leaves delays as they are in the schedule.
func noJitter() float64 { return 0.5 }

// world is an emitter on an empty queue, with receivers, inside a bubble.
type world struct {
	*publisher
	store     *memory.Store
	receivers *receivers
	emitter   *Emitter
}

func newWorld(t *testing.T, options Options) *world {
	t.Helper()
	store := memory.New(time.Now)
	if options.Jitter == nil {
		options.Jitter = noJitter
	}
	w := &world{publisher: newPublisher(store), store: store, receivers: &receivers{}, emitter: New(store, options)}
	t.Cleanup(func() {
		w.emitter.Stop(context.Background())
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) apply(t *testing.T, targets ...Target) {
	t.Helper()
	if err := w.emitter.Apply(targets); err != nil {
		t.Fatal(err)
	}
}

func (w *world) target(t *testing.T, name string) Target {
	t.Helper()
	return newTarget(t, name, w.receivers)
}

// inBubble runs a test, including its clean-ups, with a fake clock.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

func TestOneDelivery(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{UserAgent: "test/1"})
		w.apply(t, w.target(t, "erp"))
		ev := w.publish(t, "42/a b", []string{"erp"}, func(ev *event.Event) { ev.ID = "evt_1" })
		synctest.Wait()

		all := w.receivers.of("erp")
		if len(all) != 1 {
			t.Fatalf("%d requests", len(all))
		}
		if !bytes.Equal(all[0].body, ev.Payload) {
			t.Errorf("sent %s, the payload is %s", all[0].body, ev.Payload)
		}
		for name, want := range map[string]string{
			"webhook-id": ev.DeliveryID(), "webhook-timestamp": strconv.FormatInt(time.Now().Unix(), 10),
			"webhook-event": "items.updated", "webhook-object": "items/42%2Fa%20b", "webhook-sequence": "1",
			"webhook-freshness": "version", "content-type": "application/json; charset=utf-8", "user-agent": "test/1",
		} {
			if got := all[0].header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		verifySignature(t, all[0])

		list := deliveries(t, w.store, queue.Filter{})
		if len(list) != 1 || list[0].Status != queue.StatusDelivered || list[0].Attempts != 1 {
			t.Errorf("the delivery is %+v", list)
		}
		made := attempts(t, w.store, queue.Filter{})
		if len(made) != 1 || made[0].Code != 204 || made[0].Error != "" || string(made[0].Response) != "thanks" || !made[0].At.Equal(time.Now()) {
			t.Errorf("the attempts are %+v", made)
		}
	})
}

// verifySignature verifies with the receivers' own library, which also compares
// the time with the clock; so it must be called when a request has just come.
func verifySignature(t *testing.T, g got) {
	t.Helper()
	if err := verifyNow(g.body, g.header); err != nil {
		t.Errorf("%s: %v", g.event(), err)
	}
}

func verifyNow(body []byte, header http.Header) error {
	receiver, err := standardwebhooks.NewWebhookRaw(signingKey)
	if err != nil {
		return err
	}
	return receiver.Verify(body, header)
}

func TestDeleteWithoutPayload(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.apply(t, w.target(t, "erp"))
		w.publish(t, "1", []string{"erp"}, func(ev *event.Event) {
			ev.Op, ev.Payload, ev.ContentType = event.OpDelete, nil, ""
		})
		synctest.Wait()
		all := w.receivers.of("erp")
		if len(all) != 1 || len(all[0].body) != 0 {
			t.Fatalf("got %+v", all)
		}
		if _, ok := all[0].header["Content-Type"]; ok {
			t.Error("a delivery without a payload has a content type")
		}
		verifySignature(t, all[0])
	})
}

// TestContentTypeThatNoHeaderCanHold checks a content type that would make
// every attempt fail if it were sent.
func TestContentTypeThatNoHeaderCanHold(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.apply(t, w.target(t, "erp"))
		w.publish(t, "1", []string{"erp"}, func(ev *event.Event) { ev.ContentType = "a\r\nX-Injected: 1" })
		synctest.Wait()
		all := w.receivers.of("erp")
		if len(all) != 1 || all[0].header.Get("Content-Type") != "" {
			t.Fatalf("got %+v", all)
		}
	})
}

// TestRetries walks the whole default schedule.
func TestRetries(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		logger, logs := observer.New(zapcore.InfoLevel)
		w := newWorld(t, Options{Logger: zap.New(logger)})
		w.receivers.answer = func(_ context.Context, g got) (int, error) {
			verifySignature(t, g)
			return http.StatusServiceUnavailable, nil
		}
		w.apply(t, w.target(t, "erp"))
		began := time.Now()
		ev := w.publish(t, "1", []string{"erp"}, nil)
		time.Sleep(80 * time.Hour)
		synctest.Wait()

		want := began
		all := w.receivers.of("erp")
		steps := append([]time.Duration{0}, endpoint.DefaultSchedule()...)
		signatures := map[string]bool{}
		for i, g := range all {
			if len(steps) > 0 && g.at.Equal(want.Add(steps[0])) {
				want, steps = g.at, steps[1:]
			}
			if g.event() != ev.ID || !bytes.Equal(g.body, ev.Payload) {
				t.Errorf("attempt %d is of %s with %s", i+1, g.event(), g.body)
			}
			if got := g.header.Get("webhook-timestamp"); got != strconv.FormatInt(g.at.Unix(), 10) {
				t.Errorf("attempt %d has the time %s", i+1, got)
			}
			signatures[g.header.Get("webhook-signature")] = true
		}
		// Extra ones look whether the receiver is back; they become rare.
		if len(steps) > 0 || len(all) > 10+15 {
			t.Errorf("%d attempts, and none at the last %d steps", len(all), len(steps))
		}
		if len(signatures) != len(all) {
			t.Errorf("%d signatures in %d attempts", len(signatures), len(all))
		}
		list := deliveries(t, w.store, queue.Filter{})
		if list[0].Status != queue.StatusDead || list[0].Attempts != len(all) || !list[0].FinishedAt.Equal(want) {
			t.Errorf("the delivery is %+v", list[0])
		}
		for _, attempt := range attempts(t, w.store, queue.Filter{}) {
			if attempt.Code != 503 || attempt.Error != "answered 503 Service Unavailable" {
				t.Errorf("attempt %d: %+v", attempt.Number, attempt)
			}
		}
		if n := logs.FilterMessage("attempt failed").Len(); n != len(all)-1 {
			t.Errorf("%d failed attempts were logged", n)
		}
		if n := logs.FilterLevelExact(zapcore.WarnLevel).FilterMessageSnippet("dead").Len(); n != 1 {
			t.Errorf("%d deaths were logged", n)
		}
		for _, entry := range logs.All() {
			if text := fmt.Sprint(entry.ContextMap()); strings.Contains(text, "canary") || !strings.Contains(text, "https://erp.example") {
				t.Errorf("logged %s", text)
			}
		}
	})
}

func TestOneTry(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.receivers.answer = func(context.Context, got) (int, error) { return http.StatusNotFound, nil }
		target := w.target(t, "erp")
		target.Endpoint.Schedule = []time.Duration{}
		w.apply(t, target)
		w.publish(t, "1", []string{"erp"}, nil)
		synctest.Wait()
		if list := deliveries(t, w.store, queue.Filter{}); list[0].Status != queue.StatusDead || list[0].Attempts != 1 {
			t.Errorf("the delivery is %+v", list[0])
		}
	})
}

// TestLanes has one object's first event fail: its later events wait, another
// object's do not.
func TestLanes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		var down atomic.Bool
		down.Store(true)
		w.receivers.answer = func(_ context.Context, g got) (int, error) {
			if down.Load() && g.event() == "evt_a_2" {
				return http.StatusInternalServerError, nil
			}
			return http.StatusOK, nil
		}
		w.apply(t, w.target(t, "erp"))
		for range 3 {
			w.publish(t, "a", []string{"erp"}, nil)
			synctest.Wait()
		}
		for range 3 {
			w.publish(t, "b", []string{"erp"}, nil)
			synctest.Wait()
		}
		if got := events(w.receivers.of("erp")); got != "a_1 a_2 b_1 b_2 b_3" {
			t.Errorf("while the lane of a waits: %s", got)
		}
		down.Store(false)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := events(w.receivers.of("erp")); got != "a_1 a_2 b_1 b_2 b_3 a_2 a_3" {
			t.Errorf("after its retry: %s", got)
		}
	})
}

// TestHangingEndpoint has one of ten endpoints never answer, with more
// deliveries than it may have in flight.
func TestHangingEndpoint(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.receivers.answer = func(ctx context.Context, g got) (int, error) {
			if g.host == "e0.example" {
				return hang(ctx)
			}
			return http.StatusOK, nil
		}
		var targets []Target
		var names []string
		for i := range 10 {
			names = append(names, fmt.Sprintf("e%d", i))
			targets = append(targets, w.target(t, names[i]))
		}
		w.apply(t, targets...)
		began := time.Now()
		for i := range 200 {
			w.publish(t, strconv.Itoa(i), names, nil)
		}
		synctest.Wait()
		if !time.Now().Equal(began) {
			t.Fatal("time has passed")
		}
		for _, name := range names[1:] {
			if n := len(w.receivers.of(name)); n != 200 {
				t.Errorf("%s got %d of 200 events in no time", name, n)
			}
		}
		if n := len(w.receivers.of("e0")); n != maxUnproven {
			t.Errorf("%d attempts hang, want %d", n, maxUnproven)
		}
		// Once it is found down, it is tried from time to time.
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(w.receivers.of("e0")) - maxUnproven; n < 40 || n > 80 {
			t.Errorf("%d more attempts within an hour", n)
		}
		made := attempts(t, w.store, queue.Filter{EventID: "evt_0_1", Endpoint: "e0"})
		if len(made) != 1 || made[0].Duration != endpoint.DefaultTimeout || made[0].Error != "timed out before an answer came" {
			t.Errorf("attempts: %+v", made)
		}
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{Jitter: func() float64 { return 0 }})
		target := w.target(t, "erp")
		var asked atomic.Bool
		target.Transport = roundTripper(func(request *http.Request) (*http.Response, error) {
			response, err := w.receivers.RoundTrip(request)
			if err == nil && !asked.Swap(true) {
				response.StatusCode = http.StatusTooManyRequests
				response.Header.Set("Retry-After", "60")
			}
			return response, err
		})
		w.apply(t, target)
		began := time.Now()
		w.publish(t, "1", []string{"erp"}, nil)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		all := w.receivers.of("erp")
		if len(all) != 2 || all[1].at.Sub(began) != time.Minute {
			t.Errorf("got %d attempts, the last at %s", len(all), all[len(all)-1].at.Sub(began))
		}
	})
}

// roundTripper is a transport that cannot be compared with another.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// expiring is a queue whose events have expired.
type expiring struct{ queue.Deliveries }

func (e expiring) LeaseDelivery(ctx context.Context, endpoint string, options queue.LeaseOptions) (queue.DeliveryLease, error) {
	held, err := e.Deliveries.LeaseDelivery(ctx, endpoint, options)
	held.Expired = true
	held.Event = event.Event{ID: held.Event.ID, Key: held.Event.Key}
	return held, err
}

func TestExpiredEvent(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.emitter.store = expiring{w.store}
		w.apply(t, w.target(t, "erp"))
		w.publish(t, "1", []string{"erp"}, nil)
		synctest.Wait()
		if n := len(w.receivers.of("erp")); n != 0 {
			t.Errorf("%d requests of an event that is gone", n)
		}
		made := attempts(t, w.store, queue.Filter{})
		if len(made) != 1 || !strings.Contains(made[0].Error, "retention has passed") {
			t.Errorf("attempts: %+v", made)
		}
		if list := deliveries(t, w.store, queue.Filter{}); list[0].Status != queue.StatusDead {
			t.Errorf("the delivery is %+v", list[0])
		}
	})
}

func TestApplyRefuses(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		good := w.target(t, "erp")
		w.apply(t, good)
		for name, change := range map[string]func(*Target){
			"two of one name": func(*Target) {},
			"no transport":    func(target *Target) { target.Endpoint.Name, target.Transport = "crm", nil },
			"no URL":          func(target *Target) { target.Endpoint.Name, target.Endpoint.URL = "crm", "" },
			"no http URL":     func(target *Target) { target.Endpoint.Name, target.Endpoint.URL = "crm", "file:///canary" },
			"malformed URL":   func(target *Target) { target.Endpoint.Name, target.Endpoint.URL = "crm", "https://%zz/canary" },
			"no secret":       func(target *Target) { target.Endpoint.Name, target.Endpoint.Secrets = "crm", nil },
		} {
			bad := w.target(t, "erp")
			change(&bad)
			err := w.emitter.Apply([]Target{good, bad})
			if !errors.Is(err, ErrBadTarget) && !errors.Is(err, endpoint.ErrBadEndpoint) || strings.Contains(err.Error(), "canary") {
				t.Errorf("%s: got %v", name, err)
			}
		}
		w.publish(t, "1", []string{"erp"}, nil)
		synctest.Wait()
		if len(w.receivers.of("erp")) != 1 {
			t.Error("a refused Apply had an effect")
		}
	})
}
