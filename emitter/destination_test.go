// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/hop"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// named returns a target whose receivers are named by requests: the object's id
// is the host's name and the object's name there.
func named(t *testing.T, w *world) Target {
	t.Helper()
	target := w.target(t, "notify.items")
	target.Endpoint.URL, target.Endpoint.Signatures = "", []sign.Scheme{}
	target.Resolve = func(_ context.Context, key event.Key) (Address, error) {
		host, rest, _ := strings.Cut(key.ID, "-")
		if host == "gone" {
			return Address{}, ErrNoReceiver
		}
		return Address{URL: "https://" + host + ".example/canary-path/" + rest, Authorization: "Bearer canary-" + host}, nil
	}
	return target
}

// TestNamedReceivers sends each object's events to the receiver that its
// request named, with the Authorization that it gave.
func TestNamedReceivers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.apply(t, named(t, w))
		for _, id := range []string{"a-1", "b-1", "gone-1"} {
			w.publish(t, id, []string{"notify.items"}, nil)
		}
		synctest.Wait()
		for _, host := range []string{"a", "b"} {
			all := w.receivers.of(host)
			if len(all) != 1 || all[0].header.Get("Authorization") != "Bearer canary-"+host {
				t.Errorf("%s got %+v", host, all)
			}
		}
		gone := attempts(t, w.store, queue.Filter{EventID: "evt_gone-1_1"})
		if len(gone) != 1 || gone[0].Error != nowhereWords {
			t.Errorf("recorded %+v", gone)
		}
		for _, attempt := range attempts(t, w.store, queue.Filter{EventID: "evt_a-1_1"}) {
			if strings.Contains(fmt.Sprint(attempt), "canary") {
				t.Errorf("recorded %+v", attempt)
			}
		}
	})
}

// TestOneHostOfMany has a host hang, with more objects than the target may have
// in flight: it holds up its own events and nobody else's.
func TestOneHostOfMany(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		var inFlight, most atomic.Int64
		w.receivers.answer = func(ctx context.Context, g got) (int, error) {
			if g.host == "hole.example" {
				most.Store(max(most.Load(), inFlight.Add(1)))
				defer inFlight.Add(-1)
				return hang(ctx)
			}
			return http.StatusOK, nil
		}
		w.apply(t, named(t, w))
		for i := range 500 {
			w.publish(t, fmt.Sprintf("hole-%d", i), []string{"notify.items"}, nil)
		}
		synctest.Wait()
		for i := range 500 {
			w.publish(t, fmt.Sprintf("h%d-%d", i%10, i), []string{"notify.items"}, nil)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		got := 0
		for i := range 10 {
			got += len(w.receivers.of(fmt.Sprintf("h%d", i)))
		}
		if got != 500 || most.Load() > 64 {
			t.Errorf("%d of 500 were delivered beside a host that hangs, which had %d in flight", got, most.Load())
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		// Each delivery has an attempt at once, and retries after some five
		// seconds, five minutes, and half an hour.
		if n := len(w.receivers.of("hole")); n > 4*500 {
			t.Errorf("%d attempts within an hour at a host that hangs", n)
		}
	})
}

// TestHostThatTakesItsTime checks that a slow host gets all of its events,
// however few at once.
func TestHostThatTakesItsTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.receivers.answer = func(context.Context, got) (int, error) {
			time.Sleep(100 * time.Millisecond)
			return http.StatusOK, nil
		}
		w.apply(t, named(t, w))
		for i := range 1000 {
			w.publish(t, fmt.Sprintf("slow-%d", i), []string{"notify.items"}, nil)
		}
		// At best, 8 at a time take 12.5 seconds.
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if n := len(w.receivers.of("slow")); n != 1000 {
			t.Errorf("%d of 1000 were delivered", n)
		}
		w.emitter.mu.Lock()
		s := w.emitter.standings["notify.items"]
		w.emitter.mu.Unlock()
		if n := s.hosts["slow.example"].inFlight + s.crowds[unknown].inFlight; n != 0 {
			t.Errorf("%d places are still taken", n)
		}
	})
}

func TestReceiverThatCannotBeLookedUp(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		target := named(t, w)
		resolve, broken := target.Resolve, atomic.Bool{}
		broken.Store(true)
		target.Resolve = func(ctx context.Context, key event.Key) (Address, error) {
			if broken.Load() {
				return Address{}, errors.New("input/output error")
			}
			return resolve(ctx, key)
		}
		w.apply(t, target)
		w.publish(t, "a-1", []string{"notify.items"}, nil)
		synctest.Wait()
		broken.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		made := attempts(t, w.store, queue.Filter{})
		if len(made) != 2 || made[0].Error != errNoAddress.Error() || made[1].Code != 204 {
			t.Errorf("attempts: %+v", made)
		}
	})
}

// TestLoop has an endpoint lead back to the API, which makes an event of each
// delivery. Another endpoint gets all of them.
func TestLoop(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		key := hop.NewKey([]byte("secret"))
		told := &notices{}
		w := newWorld(t, Options{Hops: key, Notify: told.notify})
		headers := make(chan string, 100)
		w.receivers.answer = func(_ context.Context, g got) (int, error) {
			if g.host == "loop.example" {
				headers <- g.header.Get(hop.Header)
			}
			return http.StatusOK, nil
		}
		w.apply(t, w.target(t, "loop"), w.target(t, "erp"))
		publish := func(chain string) {
			w.publish(t, "1", []string{"loop", "erp"}, func(ev *event.Event) { ev.Cause.Hops = chain })
			synctest.Wait()
		}
		publish("")
		for len(headers) > 0 && len(w.receivers.of("erp")) < 100 {
			chain, ok := key.Verify(<-headers, time.Now())
			if !ok {
				t.Fatal("our own header is not accepted")
			}
			publish(chain)
		}
		if loop, erp := len(w.receivers.of("loop")), len(w.receivers.of("erp")); loop != hop.MaxHops || erp != hop.MaxHops+1 {
			t.Errorf("%d deliveries went round, and %d to the other endpoint", loop, erp)
		}
		if told.types() != DeliveryExhausted || told.all[0].Attempt.Error != loopWords {
			t.Errorf("told %+v", told.all)
		}
	})
}

// traces is a tracer that records its calls.
type traces struct {
	began atomic.Pointer[event.Cause]
	ended atomic.Pointer[string]
}

func (r *traces) Attempt(_ context.Context, _ *queue.Delivery, cause event.Cause) (string, func(int, string)) {
	r.began.Store(&cause)
	return "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", func(code int, failure string) {
		text := fmt.Sprint(code, " ", failure)
		r.ended.Store(&text)
	}
}

// TestTraceIsSentWhereAskedFor sends the trace to the endpoint that wants it,
// and to no other.
func TestTraceIsSentWhereAskedFor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		spans := &traces{}
		w := newWorld(t, Options{Tracer: spans})
		asked := w.target(t, "asked")
		asked.Endpoint.Trace = true
		w.apply(t, asked, w.target(t, "silent"))
		w.publish(t, "1", []string{"asked", "silent"}, func(ev *event.Event) { ev.Cause.TraceParent = "00-a-b-01" })
		synctest.Wait()
		if got := w.receivers.of("asked")[0].header.Get("Traceparent"); got != "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" {
			t.Errorf("sent %q", got)
		}
		if got, ok := w.receivers.of("silent")[0].header["Traceparent"]; ok {
			t.Errorf("sent %q", got)
		}
		if cause := spans.began.Load(); cause.TraceParent != "00-a-b-01" || *spans.ended.Load() != "204 " {
			t.Errorf("traced %+v, ended %q", cause, *spans.ended.Load())
		}
	})
}
