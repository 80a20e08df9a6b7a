// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// failing is a queue that fails some calls.
type failing struct {
	queue.Deliveries
	lease, finish, order atomic.Int64
	err                  error
}

func (f *failing) SetOrder(ctx context.Context, endpoint string, order queue.Order) error {
	if f.order.Add(-1) >= 0 {
		return f.err
	}
	return f.Deliveries.SetOrder(ctx, endpoint, order)
}

func (f *failing) LeaseDelivery(ctx context.Context, endpoint string, options queue.LeaseOptions) (queue.DeliveryLease, error) {
	if f.lease.Add(-1) >= 0 {
		return queue.DeliveryLease{}, f.err
	}
	return f.Deliveries.LeaseDelivery(ctx, endpoint, options)
}

func (f *failing) FinishAttempt(ctx context.Context, lease queue.DeliveryLease, attempt queue.Attempt, verdict queue.Verdict) error {
	if f.finish.Add(-1) >= 0 {
		return f.err
	}
	return f.Deliveries.FinishAttempt(ctx, lease, attempt, verdict)
}

// counters counts the calls of metrics.
type counters struct {
	delivered, pending, dead, unsent, leaseLost, queueFailed atomic.Int64
}

func (c *counters) Attempted(_ string, status queue.Status, _ int, _, _ time.Duration) {
	switch status {
	case queue.StatusDelivered:
		c.delivered.Add(1)
	case queue.StatusPending:
		c.pending.Add(1)
	case queue.StatusDead:
		c.dead.Add(1)
	}
}
func (c *counters) Unsent(string)      { c.unsent.Add(1) }
func (c *counters) LeaseLost(string)   { c.leaseLost.Add(1) }
func (c *counters) QueueFailed(string) { c.queueFailed.Add(1) }

// TestQueueThatCannotRecord must not make the same event be sent again, however
// long the queue cannot record the attempt: it is recorded when the queue can.
func TestQueueThatCannotRecord(t *testing.T) {
	for _, test := range []struct {
		name        string
		err         error
		lost, wrong int64
	}{
		{"lease lost", queue.ErrLeaseLost, 3, 0},
		{"disk full", errors.New("no space left on device"), 0, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				metrics := &counters{}
				w := newWorld(t, Options{Metrics: metrics})
				store := &failing{Deliveries: w.store, err: test.err}
				store.finish.Store(3)
				w.emitter.store = store
				w.apply(t, w.target(t, "erp"))
				w.publish(t, "1", []string{"erp"}, nil)
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				if all := w.receivers.of("erp"); len(all) != 1 {
					t.Errorf("%d attempts: %+v", len(all), all)
				}
				if metrics.leaseLost.Load() != test.lost || metrics.queueFailed.Load() != test.wrong || metrics.delivered.Load() != 1 {
					t.Errorf("counted %d lost, %d failed, %d delivered", metrics.leaseLost.Load(), metrics.queueFailed.Load(), metrics.delivered.Load())
				}
				if list := deliveries(t, w.store, queue.Filter{}); list[0].Status != queue.StatusDelivered || list[0].Attempts != 1 {
					t.Errorf("the delivery is %+v", list[0])
				}
				if standing := w.emitter.Standings()["erp"]; standing.Unrecorded != 0 {
					t.Errorf("%d attempts are still remembered", standing.Unrecorded)
				}
			})
		})
	}
}

// TestQueueThatNeverRecords has a queue fail for three days: each event is sent
// once, and ever fewer are sent, as each is remembered.
func TestQueueThatNeverRecords(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		store := &failing{Deliveries: w.store, err: errors.New("no space left on device")}
		store.finish.Store(1 << 40)
		w.emitter.store = store
		target := w.target(t, "erp")
		w.apply(t, target)
		for i := range 100 {
			w.publish(t, strconv.Itoa(i), []string{"erp"}, nil)
		}
		time.Sleep(72 * time.Hour)
		synctest.Wait()
		// A reload must not forget it.
		target.Endpoint.Timeout = time.Second
		w.apply(t, target)
		time.Sleep(time.Hour)
		store.finish.Store(0)
		time.Sleep(time.Hour)
		synctest.Wait()
		if all := w.receivers.of("erp"); len(all) != 100 {
			t.Errorf("%d attempts", len(all))
		}
		for _, delivery := range deliveries(t, w.store, queue.Filter{}) {
			if delivery.Status != queue.StatusDelivered || delivery.Attempts != 1 {
				t.Errorf("%+v", delivery)
			}
		}
	})
}

// TestQueueThatCannotLease checks that the queue is retried ever less often,
// and that deliveries resume as soon as it works.
func TestQueueThatCannotLease(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		metrics := &counters{}
		w := newWorld(t, Options{Metrics: metrics})
		store := &failing{Deliveries: w.store, err: errors.New("input/output error")}
		store.lease.Store(8)
		w.emitter.store = store
		began := time.Now()
		w.apply(t, w.target(t, "erp"))
		w.publish(t, "1", []string{"erp"}, nil)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		all := w.receivers.of("erp")
		// 1 + 2 + 4 + 8 + 16 + 30 + 30 + 30 seconds.
		if len(all) != 1 || all[0].at.Sub(began) != 121*time.Second || metrics.queueFailed.Load() != 8 {
			t.Errorf("%d attempts, %d failures: %+v", len(all), metrics.queueFailed.Load(), all)
		}
	})
}

func TestQueueThatIsClosed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.apply(t, w.target(t, "erp"), w.target(t, "crm"))
		synctest.Wait()
		if err := w.store.Close(); err != nil {
			t.Fatal(err)
		}
		// When the queue is closed, the dispatchers end by themselves.
		w.emitter.ended.Wait()
	})
}

func TestMetrics(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		metrics := &counters{}
		w := newWorld(t, Options{Metrics: metrics})
		w.receivers.answer = func(_ context.Context, g got) (int, error) {
			if strings.HasPrefix(g.event(), "evt_bad") {
				return http.StatusBadRequest, nil
			}
			return http.StatusOK, nil
		}
		target := w.target(t, "erp")
		target.Endpoint.Schedule = []time.Duration{time.Second, time.Second}
		w.apply(t, target)
		w.publish(t, "good", []string{"erp"}, nil)
		w.publish(t, "bad", []string{"erp"}, nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		if metrics.delivered.Load() != 1 || metrics.pending.Load() != 2 || metrics.dead.Load() != 1 {
			t.Errorf("counted %d delivered, %d pending, %d dead", metrics.delivered.Load(), metrics.pending.Load(), metrics.dead.Load())
		}
	})
}

// TestOrderThatCannotBeSet keeps deliveries back: they would go out in another
// order than the one that is configured.
func TestOrderThatCannotBeSet(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		store := &failing{Deliveries: w.store, err: errors.New("input/output error")}
		store.order.Store(1)
		w.emitter.store = store
		w.publish(t, "1", []string{"erp"}, nil)
		if err := w.emitter.Apply([]Target{w.target(t, "erp")}); !errors.Is(err, store.err) {
			t.Errorf("got %v, want %v", err, store.err)
		}
		time.Sleep(time.Hour)
		if all := w.receivers.of("erp"); len(all) != 0 {
			t.Errorf("sent %+v", all)
		}
		w.apply(t, w.target(t, "erp"))
		synctest.Wait()
		if all := w.receivers.of("erp"); len(all) != 1 {
			t.Errorf("%d attempts", len(all))
		}
	})
}
