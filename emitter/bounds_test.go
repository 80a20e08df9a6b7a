// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// TestRate checks every second while a backlog drains against the endpoint's
// rate, across a reload too.
func TestRate(t *testing.T) {
	for _, text := range []string{"1/s", "10/s", "100/s", "90/m", "7200/h"} {
		t.Run(text, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, Options{})
				rate, err := endpoint.ParseRate(text)
				if err != nil {
					t.Fatal(err)
				}
				target := w.target(t, "erp")
				target.Endpoint.Rate = rate
				n := int(rate.PerSecond()*60) + rate.Burst()
				for i := range 2 * n {
					w.publish(t, strconv.Itoa(i), []string{"erp", "crm"}, nil)
				}
				began := time.Now()
				w.apply(t, target, w.target(t, "crm"))
				time.Sleep(30 * time.Second)
				target.Endpoint.Timeout = time.Second
				w.apply(t, target, w.target(t, "crm"))
				time.Sleep(30*time.Second - 1)
				synctest.Wait()
				all := w.receivers.of("erp")
				if len(all) < n-1-rate.Burst() || len(all) > n {
					t.Errorf("%d attempts in a minute, want %d", len(all), n)
				}
				for i := range all {
					j := i
					for j < len(all) && all[j].at.Sub(all[i].at) < time.Second {
						j++
					}
					if limit := rate.PerSecond() + float64(rate.Burst()); float64(j-i) > limit+1e-9 {
						t.Fatalf("%d attempts in the second from %s", j-i, all[i].at.Sub(began))
					}
				}
				if crm := len(w.receivers.of("crm")); crm != 2*n {
					t.Errorf("%d of %d attempts at an endpoint without a rate", crm, 2*n)
				}
			})
		})
	}
}

// TestDeadline ends deliveries that are too late, without sending them, and
// deliveries that fail until it is too late.
func TestDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.receivers.answer = func(context.Context, got) (int, error) { return http.StatusBadRequest, nil }
		target := w.target(t, "erp")
		target.Endpoint.Deadline = 10 * time.Minute
		w.apply(t, target)
		w.publish(t, "1", []string{"erp"}, nil)
		time.Sleep(time.Hour)
		// 5 seconds, 5 minutes, and then 30 minutes would be too late.
		if n := len(w.receivers.of("erp")); n != 3 {
			t.Errorf("%d attempts", n)
		}
		if err := w.emitter.Pause(t.Context(), "erp", ""); err != nil {
			t.Fatal(err)
		}
		w.publish(t, "2", []string{"erp"}, nil)
		time.Sleep(time.Hour)
		if err := w.emitter.Resume(t.Context(), "erp"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := len(w.receivers.of("erp")); n != 3 {
			t.Errorf("%d attempts", n)
		}
		for _, delivery := range deliveries(t, w.store, queue.Filter{}) {
			if delivery.Status != queue.StatusDead {
				t.Errorf("%+v", delivery)
			}
		}
		if made := attempts(t, w.store, queue.Filter{EventID: "evt_2_1"}); len(made) != 1 || made[0].Error != deadlineWords || made[0].Code != 0 {
			t.Errorf("recorded %+v", made)
		}
	})
}

func TestSuccess(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.receivers.answer = func(context.Context, got) (int, error) { return http.StatusFound, nil }
		target := w.target(t, "erp")
		var err error
		if target.Endpoint.Success, err = endpoint.ParseStatuses("200", "302"); err != nil {
			t.Fatal(err)
		}
		w.apply(t, target)
		w.publish(t, "1", []string{"erp"}, nil)
		synctest.Wait()
		if list := deliveries(t, w.store, queue.Filter{}); list[0].Status != queue.StatusDelivered {
			t.Errorf("%+v", list)
		}
	})
}

// measured counts the payloads in memory.
type measured struct {
	queue.Deliveries
	now, most atomic.Int64
}

func (m *measured) LeaseDelivery(ctx context.Context, endpoint string, options queue.LeaseOptions) (queue.DeliveryLease, error) {
	lease, err := m.Deliveries.LeaseDelivery(ctx, endpoint, options)
	if err == nil {
		now := m.now.Add(int64(len(lease.Event.Payload)))
		for most := m.most.Load(); now > most && !m.most.CompareAndSwap(most, now); most = m.most.Load() {
		}
	}
	return lease, err
}

func (m *measured) FinishAttempt(ctx context.Context, lease queue.DeliveryLease, attempt queue.Attempt, verdict queue.Verdict) error {
	defer m.now.Add(-int64(len(lease.Event.Payload)))
	return m.Deliveries.FinishAttempt(ctx, lease, attempt, verdict)
}

// TestMemoryIsBounded sends large events to very many endpoints, a fifth of
// which hang. The memory in use is limited, and endpoints that work get their
// events without waiting for those that hang.
func TestMemoryIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const endpoints, size, memory = 1000, 64 << 10, 1 << 20
		w := newWorld(t, Options{Memory: memory})
		store := &measured{Deliveries: w.store}
		w.emitter.store = store
		var hole atomic.Bool
		hangs := map[string]bool{}
		w.receivers.answer = func(ctx context.Context, g got) (int, error) {
			if hole.Load() && hangs[strings.TrimSuffix(g.host, ".example")] {
				return hang(ctx)
			}
			time.Sleep(10 * time.Millisecond)
			return http.StatusOK, nil
		}
		var targets []Target
		var names []string
		for i := range endpoints {
			names = append(names, fmt.Sprintf("e%d", i))
			targets = append(targets, w.target(t, names[i]))
		}
		for _, name := range names[700:900] {
			hangs[name] = true
		}
		w.apply(t, targets...)
		payload := bytes.Repeat([]byte("x"), size)
		w.publish(t, "1", names, func(ev *event.Event) { ev.Payload = payload })
		time.Sleep(time.Hour)
		hole.Store(true)
		for i := range 10 {
			w.publish(t, strconv.Itoa(i), names[700:900], func(ev *event.Event) { ev.Payload = payload })
		}
		time.Sleep(10 * time.Minute)
		w.publish(t, "1", names, func(ev *event.Event) { ev.Payload = payload })
		time.Sleep(time.Hour)
		hole.Store(false)
		time.Sleep(12 * time.Hour)
		synctest.Wait()
		if most := store.most.Load(); most > memory {
			t.Errorf("%d bytes of payloads at once", most)
		}
		if n := w.emitter.InFlight(); n != 0 {
			t.Errorf("%d bytes are still counted", n)
		}
		late := 0
		for _, delivery := range deliveries(t, w.store, queue.Filter{EventID: "evt_1_3"}) {
			if !hangs[delivery.Endpoint] && delivery.Status != queue.StatusDelivered {
				t.Errorf("%+v", delivery)
			}
			if !hangs[delivery.Endpoint] && delivery.FinishedAt.Sub(delivery.CreatedAt) > 2*time.Second {
				late++
			}
		}
		if late > 0 {
			t.Errorf("%d deliveries waited for others", late)
		}
	})
}

// TestManySmallAndOneLarge checks that nothing starves: a payload that needs
// much of the memory gets it in its turn.
func TestManySmallAndOneLarge(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{Memory: 1 << 20})
		var mu sync.Mutex
		var large time.Time
		w.receivers.answer = func(_ context.Context, g got) (int, error) {
			time.Sleep(10 * time.Millisecond)
			if len(g.body) > 1000 {
				mu.Lock()
				large = time.Now()
				mu.Unlock()
			}
			return http.StatusOK, nil
		}
		var targets []Target
		for i := range 20 {
			targets = append(targets, w.target(t, fmt.Sprintf("e%d", i)))
			for j := range 200 {
				w.publish(t, fmt.Sprintf("%d-%d", i, j), []string{targets[i].Endpoint.Name}, nil)
			}
		}
		targets = append(targets, w.target(t, "large"))
		w.publish(t, "large", []string{"large"}, func(ev *event.Event) { ev.Payload = bytes.Repeat([]byte("x"), 4<<20) })
		began := time.Now()
		w.apply(t, targets...)
		time.Sleep(time.Minute)
		synctest.Wait()
		if large.IsZero() || large.Sub(began) > 100*time.Millisecond {
			t.Errorf("the large one came after %s", large.Sub(began))
		}
		for _, delivery := range deliveries(t, w.store, queue.Filter{}) {
			if delivery.Status != queue.StatusDelivered {
				t.Errorf("%+v", delivery)
			}
		}
	})
}

// TestOneEndpointOfMemory has an endpoint hang with very many deliveries
// waiting: it fills its share of the memory and no more, and another endpoint
// continues.
func TestOneEndpointOfMemory(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{Memory: 8 << 20})
		var hole atomic.Bool
		w.receivers.answer = func(ctx context.Context, g got) (int, error) {
			if hole.Load() && g.host == "hole.example" {
				return hang(ctx)
			}
			return http.StatusOK, nil
		}
		w.apply(t, w.target(t, "hole"), w.target(t, "erp"))
		large := func(ev *event.Event) { ev.Payload = bytes.Repeat([]byte("x"), 4<<10) }
		w.publish(t, "first", []string{"hole", "erp"}, large)
		synctest.Wait()
		hole.Store(true)
		for i := range 200 {
			w.publish(t, strconv.Itoa(i), []string{"hole"}, large)
		}
		synctest.Wait()
		if n := w.emitter.Standings()["hole"].InFlight; n < 2 || n > 8<<20/shares/(overheadKept+4<<10)+1 {
			t.Errorf("%d attempts hang", n)
		}
		began := time.Now()
		for i := range 200 {
			w.publish(t, strconv.Itoa(i), []string{"erp"}, large)
		}
		synctest.Wait()
		if n := len(w.receivers.of("erp")); n != 201 || time.Since(began) > 0 {
			t.Errorf("erp got %d events after %s", n, time.Since(began))
		}
	})
}
