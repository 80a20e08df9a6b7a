// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// failing is a queue that fails some calls.
type failing struct {
	queue.Deliveries
	lease, finish atomic.Int64
	err           error
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

// counters counts what metrics are told.
type counters struct {
	delivered, pending, dead, leaseLost, queueFailed atomic.Int64
}

func (c *counters) Attempted(_ string, status queue.Status, _, _ time.Duration) {
	switch status {
	case queue.StatusDelivered:
		c.delivered.Add(1)
	case queue.StatusPending:
		c.pending.Add(1)
	case queue.StatusDead:
		c.dead.Add(1)
	}
}
func (c *counters) LeaseLost(string)   { c.leaseLost.Add(1) }
func (c *counters) QueueFailed(string) { c.queueFailed.Add(1) }

// TestQueueThatCannotRecord must not make the same event be sent again and
// again: it is sent again when its lease has passed.
func TestQueueThatCannotRecord(t *testing.T) {
	for _, test := range []struct {
		name        string
		err         error
		lost, wrong int64
	}{
		{"lease lost", queue.ErrLeaseLost, 2, 0},
		{"disk full", errors.New("no space left on device"), 0, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				metrics := &counters{}
				w := newWorld(t, Options{Metrics: metrics})
				store := &failing{Deliveries: w.store, err: test.err}
				store.finish.Store(2)
				w.emitter.store = store
				w.apply(t, w.target(t, "erp"))
				began := time.Now()
				w.publish(t, "1", []string{"erp"}, nil)
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				all := w.receivers.of("erp")
				lease := endpoint.DefaultTimeout + leaseMargin
				if len(all) != 3 || all[1].at.Sub(began) != lease || all[2].at.Sub(began) != 2*lease {
					t.Errorf("%d attempts: %+v", len(all), all)
				}
				if metrics.leaseLost.Load() != test.lost || metrics.queueFailed.Load() != test.wrong || metrics.delivered.Load() != 1 {
					t.Errorf("counted %d lost, %d failed, %d delivered", metrics.leaseLost.Load(), metrics.queueFailed.Load(), metrics.delivered.Load())
				}
			})
		})
	}
}

// TestQueueThatCannotLease is asked again ever less often, and works as soon as
// it can.
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
		// With the queue gone, the dispatchers end by themselves.
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
