// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/auth"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

func TestStopWithoutApply(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.emitter.Stop(t.Context())
		w.emitter.Stop(t.Context())
		if err := w.emitter.Apply([]Target{w.target(t, "erp")}); !errors.Is(err, ErrStopped) {
			t.Errorf("Apply after Stop: %v", err)
		}
	})
}

// TestStopLetsAttemptsEnd stops with an attempt in flight that ends in time.
func TestStopLetsAttemptsEnd(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.receivers.answer = func(context.Context, got) (int, error) {
			time.Sleep(3 * time.Second)
			return http.StatusOK, nil
		}
		w.apply(t, w.target(t, "erp"))
		w.publish(t, "1", []string{"erp"}, nil)
		w.publish(t, "1", []string{"erp"}, nil)
		synctest.Wait()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		w.emitter.Stop(ctx)
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("stopping took %s", took)
		}
		first := deliveries(t, w.store, queue.Filter{EventID: "evt_1_1"})
		if first[0].Status != queue.StatusDelivered {
			t.Errorf("the attempt in flight was lost: %+v", first[0])
		}
		time.Sleep(time.Hour)
		if got := events(w.receivers.of("erp")); got != "1_1" {
			t.Errorf("after Stop: %s", got)
		}
	})
}

// TestStopBreaksOffAndAnotherResumes stops with an attempt that hangs; the next
// emitter on the queue repeats it at once, and it does not count as failed.
func TestStopBreaksOffAndAnotherResumes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.receivers.answer = func(ctx context.Context, _ got) (int, error) { return hang(ctx) }
		w.apply(t, w.target(t, "erp"))
		ev := w.publish(t, "1", []string{"erp"}, nil)
		w.publish(t, "1", []string{"erp"}, nil)
		synctest.Wait()

		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		stopped := make(chan struct{})
		go func() {
			// Twice at the same time, as a reload and an exit might.
			w.emitter.Stop(ctx)
			close(stopped)
		}()
		w.emitter.Stop(ctx)
		<-stopped
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("stopping took %s", took)
		}
		if n := len(attempts(t, w.store, queue.Filter{EventID: ev.ID})); n != 0 {
			t.Errorf("%d attempts were recorded for a cancelled one", n)
		}

		next := New(w.store, Options{Jitter: noJitter})
		defer next.Stop(context.Background())
		w.receivers.mu.Lock()
		w.receivers.answer = nil
		w.receivers.mu.Unlock()
		if err := next.Apply([]Target{w.target(t, "erp")}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := events(w.receivers.of("erp")); got != "1_1 1_1 1_2" {
			t.Errorf("the next emitter: %s", got)
		}
		if list := deliveries(t, w.store, queue.Filter{EventID: ev.ID}); list[0].Attempts != 1 || list[0].Status != queue.StatusDelivered {
			t.Errorf("the delivery is %+v", list[0])
		}
	})
}

// TestResumeInTheMiddleOfRetries stops between two attempts: the next emitter
// continues the schedule.
func TestResumeInTheMiddleOfRetries(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.receivers.answer = func(context.Context, got) (int, error) { return http.StatusBadGateway, nil }
		w.apply(t, w.target(t, "erp"))
		began := time.Now()
		w.publish(t, "1", []string{"erp"}, nil)
		time.Sleep(time.Minute)
		w.emitter.Stop(t.Context())

		next := New(w.store, Options{Jitter: noJitter})
		defer next.Stop(context.Background())
		if err := next.Apply([]Target{w.target(t, "erp")}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		all := w.receivers.of("erp")
		if len(all) != 3 || all[2].at.Sub(began) != 5*time.Minute+5*time.Second {
			t.Errorf("%d attempts: %+v", len(all), all)
		}
		if made := attempts(t, w.store, queue.Filter{}); len(made) != 3 {
			t.Errorf("%d attempts recorded", len(made))
		}
	})
}

// TestStopReleasesALeaseThatCameLate has the queue give out a lease at the
// moment when nobody wants it any more: the lease must not be held until it
// expires, nor may its attempt begin.
func TestStopReleasesALeaseThatCameLate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.emitter.store = late{w.store}
		w.apply(t, w.target(t, "erp"))
		synctest.Wait()
		w.publish(t, "1", []string{"erp"}, nil)
		w.emitter.Stop(t.Context())
		if n := len(w.receivers.of("erp")); n != 0 {
			t.Errorf("%d attempts began", n)
		}
		next := New(w.store, Options{})
		defer next.Stop(context.Background())
		if err := next.Apply([]Target{w.target(t, "erp")}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := len(w.receivers.of("erp")); n != 1 {
			t.Errorf("the next emitter made %d attempts", n)
		}
	})
}

// late is a queue that gives out a lease only when the caller has left.
type late struct{ queue.Deliveries }

func (l late) LeaseDelivery(ctx context.Context, endpoint string, options queue.LeaseOptions) (queue.DeliveryLease, error) {
	<-ctx.Done()
	return l.Deliveries.LeaseDelivery(context.WithoutCancel(ctx), endpoint, options)
}

// TestStopWithAQueueThatHangs checks that Stop returns in time even then.
func TestStopWithAQueueThatHangs(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.emitter.store = hanging{w.store}
		w.apply(t, w.target(t, "erp"))
		w.publish(t, "1", []string{"erp"}, nil)
		synctest.Wait()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w.emitter.Stop(ctx)
		if took := time.Since(began); took > time.Second+recordTimeout {
			t.Errorf("stopping took %s", took)
		}
	})
}

// hanging is a queue that never records.
type hanging struct{ queue.Deliveries }

func (hanging) FinishAttempt(ctx context.Context, _ queue.DeliveryLease, _ queue.Attempt, _ queue.Verdict) error {
	<-ctx.Done()
	return ctx.Err()
}

// leases counts the calls that wait for a delivery, by endpoint.
type leases struct {
	queue.Deliveries
	asked, waiting atomic.Int64
}

func (l *leases) LeaseDelivery(ctx context.Context, endpoint string, options queue.LeaseOptions) (queue.DeliveryLease, error) {
	l.asked.Add(1)
	l.waiting.Add(1)
	defer l.waiting.Add(-1)
	return l.Deliveries.LeaseDelivery(ctx, endpoint, options)
}

func TestApplyKeepsWhatIsTheSame(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		store := &leases{Deliveries: w.store}
		w.emitter.store = store
		filter, err := event.ParseFilter("items.*")
		if err != nil {
			t.Fatal(err)
		}
		apply := func(change func(*Target)) int64 {
			target := w.target(t, "erp")
			change(&target)
			before := store.asked.Load()
			w.apply(t, target)
			synctest.Wait()
			if n := store.waiting.Load(); n != 1 {
				t.Errorf("%d dispatchers wait", n)
			}
			return store.asked.Load() - before
		}
		if n := apply(func(*Target) {}); n != 1 {
			t.Errorf("the first: %d calls for a lease", n)
		}
		for name, change := range map[string]func(*Target){
			"nothing changed":   func(*Target) {},
			"defaults written":  func(t *Target) { t.Endpoint = t.Endpoint.WithDefaults() },
			"filter changed":    func(t *Target) { t.Endpoint.Events = filter },
			"secret read again": func(target *Target) { target.Endpoint.Secrets[0] = someSecret(t) },
		} {
			if n := apply(change); n != 0 {
				t.Errorf("%s: the dispatcher was replaced", name)
			}
		}
		other := &receivers{}
		thin, err := payload.New(payload.Config{Kind: payload.Thin})
		if err != nil {
			t.Fatal(err)
		}
		bearer, err := auth.Bearer("token")
		if err != nil {
			t.Fatal(err)
		}
		for name, change := range map[string]func(*Target){
			"URL":         func(t *Target) { t.Endpoint.URL += "x" },
			"timeout":     func(t *Target) { t.Endpoint.Timeout = time.Second },
			"schedule":    func(t *Target) { t.Endpoint.Schedule = []time.Duration{} },
			"concurrency": func(t *Target) { t.Endpoint.Concurrency = 1 },
			"secrets":     func(t *Target) { t.Endpoint.Secrets = append(t.Endpoint.Secrets, t.Endpoint.Secrets[0]) },
			"signatures":  func(t *Target) { t.Endpoint.Signatures = []sign.Scheme{} },
			"payload":     func(t *Target) { t.Endpoint.Payload = thin },
			"auth":        func(t *Target) { t.Endpoint.Auth = bearer },
			"tokens":      func(t *Target) { t.Tokens = other },
			"transport":   func(t *Target) { t.Transport = other },
		} {
			if n := apply(change); n != 1 {
				t.Errorf("%s: the dispatcher was kept", name)
			}
			if n := apply(func(*Target) {}); n != 1 {
				t.Errorf("%s, back: the dispatcher was kept", name)
			}
		}
	})
}

// TestApplyWithAttemptsInFlight changes an endpoint while an attempt is under
// way: the attempt ends normally, the lane waits for it, and later events go to
// the new URL.
func TestApplyWithAttemptsInFlight(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.receivers.answer = func(_ context.Context, g got) (int, error) {
			if g.host == "old.example" {
				time.Sleep(4 * time.Second)
			}
			return http.StatusOK, nil
		}
		target := w.target(t, "erp")
		target.Endpoint.URL = "https://old.example"
		w.apply(t, target)
		w.publish(t, "1", []string{"erp"}, nil)
		w.publish(t, "1", []string{"erp"}, nil)
		synctest.Wait()
		target.Endpoint.URL = "https://new.example"
		w.apply(t, target)
		synctest.Wait()
		w.publish(t, "2", []string{"erp"}, nil)
		synctest.Wait()
		if old, now := events(w.receivers.of("old")), events(w.receivers.of("new")); old != "1_1" || now != "2_1" {
			t.Errorf("while the attempt is in flight: old %q, new %q", old, now)
		}
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if old, now := events(w.receivers.of("old")), events(w.receivers.of("new")); old != "1_1" || now != "2_1 1_2" {
			t.Errorf("afterwards: old %q, new %q", old, now)
		}
		if made := attempts(t, w.store, queue.Filter{EventID: "evt_1_1"}); len(made) != 1 || made[0].Duration != 4*time.Second {
			t.Errorf("the attempt in flight: %+v", made)
		}
	})
}

// TestApplyWithoutAnEndpoint leaves the endpoint's deliveries in the queue
// until it is back.
func TestApplyWithoutAnEndpoint(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.apply(t, w.target(t, "erp"), w.target(t, "crm"))
		synctest.Wait()
		w.apply(t, w.target(t, "crm"))
		synctest.Wait()
		w.publish(t, "1", []string{"erp", "crm"}, nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		if erp, crm := len(w.receivers.of("erp")), len(w.receivers.of("crm")); erp != 0 || crm != 1 {
			t.Errorf("without erp: %d and %d attempts", erp, crm)
		}
		if n := len(w.emitter.running); n != 1 {
			t.Errorf("%d dispatchers run", n)
		}
		w.apply(t, w.target(t, "erp"))
		synctest.Wait()
		if erp := len(w.receivers.of("erp")); erp != 1 {
			t.Errorf("with erp again: %d attempts", erp)
		}
	})
}

// TestConcurrencyIsBounded never has more attempts in flight than configured.
func TestConcurrencyIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		var mu sync.Mutex
		now, most := 0, 0
		w.receivers.answer = func(context.Context, got) (int, error) {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			now--
			mu.Unlock()
			return http.StatusOK, nil
		}
		target := w.target(t, "erp")
		target.Endpoint.Concurrency = 3
		for i := range 30 {
			w.publish(t, string(rune('A'+i)), []string{"erp"}, nil)
		}
		began := time.Now()
		w.apply(t, target)
		time.Sleep(10*time.Second - 1)
		synctest.Wait()
		if n := len(w.receivers.of("erp")); most != 3 || n != 30 {
			t.Errorf("at most %d at once, %d in %s", most, n, time.Since(began))
		}
	})
}
