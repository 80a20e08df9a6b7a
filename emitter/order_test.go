// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// TestOrders has the first event of object a fail twice, and checks which
// deliveries wait for it.
func TestOrders(t *testing.T) {
	for _, test := range []struct {
		order    endpoint.Order
		coalesce bool
		want     string
	}{
		{endpoint.OrderObject, false, "a_1 b_1 b_2 | a_1 | a_1 a_2 a_3"},
		{endpoint.OrderObject, true, "a_1 b_1 b_2 | a_3"},
		{endpoint.OrderEndpoint, false, "a_1 | a_1 | a_1 b_1 a_2 b_2 a_3"},
		{endpoint.OrderNone, false, "a_1 b_1 a_2 b_2 a_3 | a_1 | a_1"},
	} {
		t.Run(string(test.order)+strconv.FormatBool(test.coalesce), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, Options{})
				failures := atomic.Int64{}
				w.receivers.answer = func(_ context.Context, g got) (int, error) {
					if g.event() == "evt_a_1" && failures.Add(1) <= 2 {
						return http.StatusBadRequest, nil
					}
					return http.StatusOK, nil
				}
				target := w.target(t, "erp")
				target.Endpoint.Order, target.Endpoint.Coalesce = test.order, test.coalesce
				target.Endpoint.Schedule = []time.Duration{time.Minute, time.Minute}
				w.apply(t, target)
				// The receiver is known to work: what it refuses is about the event.
				w.publish(t, "c", []string{"erp"}, nil)
				time.Sleep(time.Minute)
				for _, id := range []string{"a", "b", "a", "b", "a"} {
					w.publish(t, id, []string{"erp"}, nil)
					synctest.Wait()
				}
				var parts []string
				seen := 1
				for range 4 {
					all := w.receivers.of("erp")
					if now := events(all[seen:]); now != "" {
						parts = append(parts, now)
					}
					seen = len(all)
					time.Sleep(time.Minute)
					synctest.Wait()
				}
				if got := strings.Join(parts, " | "); got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
				for _, delivery := range deliveries(t, w.store, queue.Filter{}) {
					want := queue.StatusDelivered
					if test.coalesce && (delivery.EventID == "evt_a_1" || delivery.EventID == "evt_a_2") {
						want = queue.StatusSuperseded
					}
					if delivery.Status != want {
						t.Errorf("%+v", delivery)
					}
				}
			})
		})
	}
}

// TestOutageWithCoalesce publishes for a day while the receiver is down:
// afterwards it gets each object's last state once.
func TestOutageWithCoalesce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		var down atomic.Bool
		down.Store(true)
		w.receivers.answer = func(ctx context.Context, _ got) (int, error) {
			if down.Load() {
				return hang(ctx)
			}
			return http.StatusOK, nil
		}
		target := w.target(t, "erp")
		target.Endpoint.Coalesce = true
		w.apply(t, target)
		for range 24 {
			for i := range 5 {
				w.publish(t, strconv.Itoa(i), []string{"erp"}, nil)
			}
			time.Sleep(time.Hour)
		}
		before := len(w.receivers.of("erp"))
		down.Store(false)
		time.Sleep(30 * time.Hour)
		synctest.Wait()
		var last []string
		for _, g := range w.receivers.of("erp")[before:] {
			if g.header.Get("webhook-sequence") != "24" {
				t.Errorf("got %s", g.event())
			}
			last = append(last, g.header.Get("webhook-object"))
		}
		if len(last) != 5 {
			t.Errorf("got %s", last)
		}
	})
}

// TestRedeliveredBeginsAnew gives a delivery that is requested again its whole
// schedule, and no deadline.
func TestRedeliveredBeginsAnew(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.receivers.answer = func(context.Context, got) (int, error) { return http.StatusBadRequest, nil }
		target := w.target(t, "erp")
		target.Endpoint.Schedule = []time.Duration{time.Minute, time.Minute}
		target.Endpoint.Deadline = time.Hour
		w.apply(t, target)
		w.publish(t, "1", []string{"erp"}, nil)
		for round := 1; round <= 3; round++ {
			time.Sleep(24 * time.Hour)
			synctest.Wait()
			if list := deliveries(t, w.store, queue.Filter{}); list[0].Status != queue.StatusDead || list[0].Attempts != 3*round {
				t.Errorf("round %d: %+v", round, list[0])
			}
			n, _, err := w.store.Redeliver(t.Context(), queue.Selection{Statuses: []queue.Status{queue.StatusDead}}, queue.Page{Limit: 10})
			if n != 1 || err != nil {
				t.Fatalf("redelivered %d: %v", n, err)
			}
		}
	})
}
