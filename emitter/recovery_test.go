// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// TestRecovery plays what attempts say, one a second, and checks what is brought
// forward after the last, and when: d delivered, x down, r refused.
func TestRecovery(t *testing.T) {
	began := time.Unix(1_700_000_000, 0)
	for _, test := range []struct {
		name, attempts string
		open           bool
		what           forward
		after          time.Duration // the last attempt
	}{
		{"nothing is known", "", false, nothing, 0},
		{"the first success brings forward what waits since before a restart", "d", false, allOf, minRelease},
		{"well", "dd", false, allOf, minRelease - time.Second},
		{"one refused", "rd", false, allOf, minRelease - time.Second},
		{"one down", "x", false, nothing, 0},
		{"one down, then well", "xd", false, allOf, minRelease - time.Second},
		{"long down, then well", "xxxxxxxxxxxxxxd", false, allOf, -4 * time.Second},
		{"refused all the time, then well", "rrrrrrrrrrrrrrd", false, allOf, -4 * time.Second},
		{"down", "xxxxx", true, oneOf, time.Second},
		{"down for longer", "xxxxxxxxxxxxxxxxx", true, oneOf, 4 * time.Second},
		{"refused", "rrrrrrrrr", false, nothing, 0},
	} {
		var r recovery
		at := began
		for _, c := range test.attempts {
			at = at.Add(time.Second)
			r = r.after(finished{ruling: ruling{delivered: c == 'd', down: c == 'x'}, ended: at})
		}
		b := breaker{}
		if test.open {
			b.rests = 1
		}
		what, next := r.next(b)
		if what != test.what || what != nothing && next.Sub(at) != test.after {
			t.Errorf("%s: got %d after %s, want %d after %s", test.name, what, next.Sub(at), test.what, test.after)
		}
		// A pause that the receiver asked for passes first.
		b.until = at.Add(time.Hour)
		if _, next := r.next(b); what != nothing && !next.Equal(b.until) {
			t.Errorf("%s: during a pause after %s", test.name, next.Sub(at))
		}
	}
}

// TestReleasesBecomeRare has a receiver that is down for a moment again and again.
func TestReleasesBecomeRare(t *testing.T) {
	began := time.Unix(1_700_000_000, 0)
	var r recovery
	released := 0
	for at := began; at.Sub(began) < 24*time.Hour; at = at.Add(time.Second) {
		r = r.after(finished{ruling: ruling{down: true}, ended: at})
		r = r.after(finished{ruling: ruling{delivered: true}, ended: at})
		if what, next := r.next(breaker{}); what == allOf && !next.After(at) {
			r = r.done(what, at)
			released++
		}
	}
	if most := int(24*time.Hour/maxRelease) + 10; released > most || released < most/2 {
		t.Errorf("released %d times a day, want about %d", released, most)
	}
	at := began.Add(72 * time.Hour)
	for range 2 {
		r = r.after(finished{ruling: ruling{down: true}, ended: at}).after(finished{ruling: ruling{delivered: true}, ended: at})
		at = at.Add(minRelease)
		if what, next := r.next(breaker{}); what != allOf || next.After(at) {
			t.Errorf("after days of peace, it is released %s late", next.Sub(at))
		}
		r = r.done(allOf, at)
	}
}

// outage is a receiver that answers with a code until it is back.
type outage struct {
	*world
	code atomic.Int64
}

func newOutage(t *testing.T, code int) *outage {
	t.Helper()
	o := &outage{world: newWorld(t, Options{})}
	o.code.Store(int64(code))
	o.receivers.answer = func(context.Context, got) (int, error) { return int(o.code.Load()), nil }
	return o
}

func (o *outage) publishMany(t *testing.T, from, n int) {
	t.Helper()
	for i := range n {
		o.publish(t, strconv.Itoa(from+i), []string{"erp"}, nil)
		time.Sleep(time.Second)
	}
}

// wantDelivered checks that nothing waits any more.
func (o *outage) wantDelivered(t *testing.T, when string) {
	t.Helper()
	synctest.Wait()
	for _, d := range deliveries(t, o.store, queue.Filter{}) {
		if d.Status != queue.StatusDelivered {
			t.Errorf("%s: %s is %s, due in %s", when, d.EventID, d.Status, time.Until(d.DueAt))
		}
	}
}

// TestWhatWaitsGoesWhenTheReceiverIsBack: after the first success, what waits for
// its step of the schedule does not wait any longer, in the order of each object.
func TestWhatWaitsGoesWhenTheReceiverIsBack(t *testing.T) {
	for name, code := range map[string]int{"unavailable": 503, "an error": 500, "a wrong route": 404, "a wrong credential": 401} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				o := newOutage(t, code)
				o.apply(t, o.target(t, "erp"))
				for range 2 {
					o.publishMany(t, 0, 20)
				}
				time.Sleep(80 * time.Second)
				o.code.Store(http.StatusOK)
				if code < 500 {
					// Nothing was left alone, so nothing was looked at: new events come.
					o.publishMany(t, 100, 1)
				}
				before := len(o.receivers.of("erp"))
				time.Sleep(maxRest*12/10 + 5*time.Second)
				o.wantDelivered(t, "a minute after it is back")
				seen := map[string]string{}
				for _, g := range o.receivers.of("erp")[before:] {
					object, sequence := g.header.Get("webhook-object"), g.header.Get("webhook-sequence")
					if seen[object] >= sequence {
						t.Errorf("%s: %s comes after %s", object, sequence, seen[object])
					}
					seen[object] = sequence
				}
			})
		})
	}
}

// TestRestartDuringAnOutage: what waits since before a restart goes with the first
// success after it.
func TestRestartDuringAnOutage(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOutage(t, http.StatusBadGateway)
		o.apply(t, o.target(t, "erp"))
		o.publishMany(t, 0, 10)
		time.Sleep(time.Minute)
		o.emitter.Stop(context.Background())
		o.code.Store(http.StatusOK)
		o.emitter = New(o.store, Options{Jitter: noJitter})
		defer o.emitter.Stop(context.Background())
		o.apply(t, o.target(t, "erp"))
		o.publishMany(t, 100, 1)
		time.Sleep(minRelease)
		o.wantDelivered(t, "after a restart")
	})
}

// TestMendedSettings: an endpoint whose address was wrong is tried at once when it
// has changed, and all that waits goes when that succeeds.
func TestMendedSettings(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOutage(t, http.StatusNotFound)
		target := o.target(t, "erp")
		o.apply(t, target)
		o.publishMany(t, 0, 10)
		time.Sleep(time.Minute)
		o.code.Store(http.StatusOK)
		target.Endpoint.URL = "https://erp.example/right"
		o.apply(t, target)
		time.Sleep(minRelease)
		o.wantDelivered(t, "after a reload")
	})
}

// TestExtraAttemptsCostNothing: attempts that were brought forward leave the
// schedule as it was, and the deadline holds.
func TestExtraAttemptsCostNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOutage(t, http.StatusInternalServerError)
		target := o.target(t, "erp")
		target.Endpoint.Schedule = []time.Duration{time.Hour, time.Hour}
		o.apply(t, target)
		began := time.Now()
		o.publishMany(t, 0, 1)
		for range 20 {
			time.Sleep(time.Minute)
			if n, err := o.emitter.Retry(t.Context(), "erp", event.Key{}); err != nil || n != 1 {
				t.Fatalf("%d were brought forward: %v", n, err)
			}
			synctest.Wait()
		}
		d := deliveries(t, o.store, queue.Filter{})[0]
		if d.Status != queue.StatusPending || d.Attempts < 21 || d.ExtraAttempts != d.Attempts-1 || !d.DueAt.Equal(began.Add(time.Hour)) {
			t.Errorf("got %+v", d)
		}
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		d = deliveries(t, o.store, queue.Filter{})[0]
		if d.Status != queue.StatusDead || !d.FinishedAt.Equal(began.Add(2*time.Hour)) {
			t.Errorf("got %+v", d)
		}
	})
}

// TestPauseThatTheReceiverAskedFor: a success of an attempt that was under way does
// not end the pause that another answer asked for. An operator does.
func TestPauseThatTheReceiverAskedFor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOutage(t, http.StatusTooManyRequests)
		o.receivers.answer = func(context.Context, got) (int, error) { return int(o.code.Load()), nil }
		target := o.target(t, "erp")
		target.Transport = pausing{o.receivers}
		o.apply(t, target)
		o.publishMany(t, 0, 3)
		o.code.Store(http.StatusOK)
		sent := len(o.receivers.of("erp"))
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if n := len(o.receivers.of("erp")); n != sent {
			t.Errorf("%d attempts during the pause", n-sent)
		}
		if n, err := o.emitter.Retry(t.Context(), "erp", event.Key{}); err != nil || n > 3 {
			t.Errorf("%d were brought forward: %v", n, err)
		}
		time.Sleep(minRelease)
		o.wantDelivered(t, "after an operator's word")
	})
}

// pausing is a network whose receivers ask for a pause of an hour with each 429.
type pausing struct{ next http.RoundTripper }

func (p pausing) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := p.next.RoundTrip(request)
	if err == nil && response.StatusCode == http.StatusTooManyRequests {
		response.Header.Set("Retry-After", "3600")
	}
	return response, err
}

// TestRetryOfOneObject brings forward what waits of an object, and refuses what is
// stopped or unknown.
func TestRetryOfOneObject(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOutage(t, http.StatusOK)
		o.apply(t, o.target(t, "erp"))
		o.publishMany(t, 100, 1)
		time.Sleep(time.Minute)
		o.code.Store(http.StatusBadRequest)
		o.publishMany(t, 0, 2)
		o.code.Store(http.StatusOK)
		key, err := event.NewKey("items", "1")
		if err != nil {
			t.Fatal(err)
		}
		if n, err := o.emitter.Retry(t.Context(), "erp", key); err != nil || n != 1 {
			t.Errorf("%d were brought forward: %v", n, err)
		}
		synctest.Wait()
		var delivered []string
		for _, d := range deliveries(t, o.store, queue.Filter{Status: queue.StatusDelivered}) {
			delivered = append(delivered, d.EventID)
		}
		if !slices.Equal(delivered, []string{"evt_1_1", "evt_100_1"}) {
			t.Errorf("delivered are %v", delivered)
		}
		if _, err := o.emitter.Retry(t.Context(), "nobody", key); err == nil {
			t.Error("an endpoint that nobody knows is tried")
		}
		if err := o.emitter.Pause(t.Context(), "erp", "maintenance"); err != nil {
			t.Fatal(err)
		}
		if _, err := o.emitter.Retry(t.Context(), "erp", key); err == nil {
			t.Error("a paused endpoint is tried")
		}
	})
}

// TestResumedEndpointDoesNotWait: what waits for a retry goes when the endpoint is
// resumed.
func TestResumedEndpointDoesNotWait(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOutage(t, http.StatusNotFound)
		o.apply(t, o.target(t, "erp"))
		o.publishMany(t, 0, 5)
		time.Sleep(time.Minute)
		if err := o.emitter.Pause(t.Context(), "erp", "maintenance"); err != nil {
			t.Fatal(err)
		}
		o.code.Store(http.StatusOK)
		time.Sleep(time.Second)
		if err := o.emitter.Resume(t.Context(), "erp"); err != nil {
			t.Fatal(err)
		}
		o.wantDelivered(t, "when it is resumed")
	})
}

// TestReceiverIsFoundWithoutTraffic: a receiver that was down is found although no
// event comes and no retry is due, and a long outage costs few attempts.
func TestReceiverIsFoundWithoutTraffic(t *testing.T) {
	for _, outage := range []time.Duration{2 * time.Minute, time.Hour, 24 * time.Hour} {
		t.Run(outage.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				o := newOutage(t, http.StatusServiceUnavailable)
				target := o.target(t, "erp")
				target.Endpoint.Schedule = []time.Duration{100 * time.Hour}
				o.apply(t, target)
				for i := range 6 {
					o.publish(t, strconv.Itoa(i), []string{"erp"}, nil)
				}
				time.Sleep(outage)
				if n := len(o.receivers.of("erp")); n > 50 {
					t.Errorf("%d attempts while it was down", n)
				}
				o.code.Store(http.StatusOK)
				time.Sleep(max(maxRest*12/10, outage/trialPart) + minRelease)
				o.wantDelivered(t, "when it is back")
			})
		})
	}
}
