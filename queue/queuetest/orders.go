// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

func ordered(order queue.Order) queue.LeaseOptions {
	return queue.LeaseOptions{For: lease, Order: order}
}

func tryWith(ctx context.Context, s queue.Store, options queue.LeaseOptions) (queue.DeliveryLease, error) {
	ctx, cancel := context.WithTimeout(ctx, idle)
	defer cancel()
	return s.LeaseDelivery(ctx, "erp", options)
}

func leaseWith(t *testing.T, s queue.Store, options queue.LeaseOptions, want string) queue.DeliveryLease {
	t.Helper()
	held, err := tryWith(t.Context(), s, options)
	if err != nil || held.EventID != want {
		t.Fatalf("got %q and %v, want %s", held.EventID, err, want)
	}
	return held
}

func noneWith(t *testing.T, s queue.Store, options queue.LeaseOptions) {
	t.Helper()
	if held, err := tryWith(t.Context(), s, options); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %q and %v, want none", held.EventID, err)
	}
}

func deliver(t *testing.T, s queue.Store, held queue.DeliveryLease) {
	t.Helper()
	must(t, s.FinishAttempt(t.Context(), held, queue.Attempt{Code: 200}, delivered()))
}

func retryAt(t *testing.T, s queue.Store, held queue.DeliveryLease, at time.Time) {
	t.Helper()
	must(t, s.FinishAttempt(t.Context(), held, queue.Attempt{Code: 500}, queue.Verdict{Status: queue.StatusPending, RetryAt: at}))
}

// interleave commits events of two objects by turns.
func interleave(t *testing.T, s queue.Store) {
	for _, id := range []string{"1", "2", "2", "1"} {
		publish(t, s, item(id), "erp")
		time.Sleep(time.Second)
	}
}

func endpointInOrder(t *testing.T, s queue.Store) {
	interleave(t, s)
	options := ordered(queue.OrderEndpoint)
	held := leaseWith(t, s, options, "items/1-1")
	noneWith(t, s, options)
	retryAt(t, s, held, time.Now().Add(time.Minute))
	noneWith(t, s, options)
	time.Sleep(time.Minute)
	for _, id := range []string{"items/1-1", "items/2-1", "items/2-2", "items/1-2"} {
		deliver(t, s, leaseWith(t, s, options, id))
	}
	noneWith(t, s, options)
}

func deliveriesWithoutOrder(t *testing.T, s queue.Store) {
	options := ordered(queue.OrderNone)
	publish(t, s, item("1"), "erp")
	first := leaseWith(t, s, options, "items/1-1")
	publish(t, s, item("1"), "erp")
	publish(t, s, item("1"), "erp")
	second := leaseWith(t, s, options, "items/1-2")
	retryAt(t, s, second, time.Now().Add(time.Minute))
	deliver(t, s, leaseWith(t, s, options, "items/1-3"))
	noneWith(t, s, options)
	deliver(t, s, first)
	time.Sleep(time.Minute)
	if held := leaseWith(t, s, options, "items/1-2"); held.Attempts != 1 {
		t.Errorf("got %+v", held.Delivery)
	}
	time.Sleep(lease)
	deliver(t, s, leaseWith(t, s, options, "items/1-2"))
	noneWith(t, s, options)
}

// orderChanges changes an endpoint's order with deliveries in flight and
// waiting: none is lost, none overtakes, and none is in flight beside another
// that the new order forbids.
func orderChanges(t *testing.T, s queue.Store) {
	interleave(t, s)
	none, object, endpoint := ordered(queue.OrderNone), ordered(queue.OrderObject), ordered(queue.OrderEndpoint)
	flying := make(map[string]queue.DeliveryLease)
	for range 3 {
		held, err := tryWith(t.Context(), s, none)
		must(t, err)
		flying[held.EventID] = held
	}
	noneWith(t, s, object)
	later := time.Now().Add(30 * time.Second)
	retryAt(t, s, flying["items/1-1"], later)
	deliver(t, s, flying["items/2-1"])
	// The lease of the third passes.
	noneWith(t, s, object)
	time.Sleep(lease)
	deliver(t, s, leaseWith(t, s, endpoint, "items/1-1"))
	held := leaseWith(t, s, endpoint, "items/2-2")
	retryAt(t, s, held, time.Now().Add(time.Minute))
	noneWith(t, s, endpoint)
	deliver(t, s, leaseWith(t, s, object, "items/1-2"))
	noneWith(t, s, object)
	noneWith(t, s, none)
	time.Sleep(time.Minute)
	if held = leaseWith(t, s, none, "items/2-2"); held.Attempts != 1 {
		t.Errorf("got %+v", held.Delivery)
	}
	deliver(t, s, held)
	if got := stats(t, s); len(got.PendingDeliveries) != 0 || len(got.Lanes) != 0 {
		t.Errorf("left: %+v", got)
	}
}

// latestOrder lets two wait with different orders, as during a reload.
func latestOrder(t *testing.T, s queue.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	older, newer := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := s.LeaseDelivery(t.Context(), "erp", ordered(queue.OrderObject))
		older <- err
	}()
	synctest.Wait()
	go func() {
		_, err := s.LeaseDelivery(ctx, "erp", ordered(queue.OrderNone))
		newer <- err
	}()
	synctest.Wait()
	publish(t, s, item("1"), "erp")
	must(t, <-newer)
	publish(t, s, item("2"), "erp")
	synctest.Wait()
	select {
	case err := <-older:
		t.Fatalf("leased under the older order, with %v, beside one under the newer", err)
	default:
	}
	cancel()
	// It waits on, and gets its turn when the other's lease has passed.
	must(t, <-older)
}

func coalescing(t *testing.T, s queue.Store) {
	for _, order := range []queue.Order{queue.OrderObject, queue.OrderEndpoint} {
		options := ordered(order)
		for range 3 {
			publish(t, s, item("1"), "erp")
		}
		retryAt(t, s, leaseDelivery(t, s, "erp"), time.Now().Add(time.Minute))
		last := publish(t, s, item("1"), "erp")
		publish(t, s, item("2"), "erp")
		options.Coalesce = true
		time.Sleep(time.Minute)
		began := time.Now()
		got := make(map[string]bool)
		for range 2 {
			held, err := tryWith(t.Context(), s, options)
			must(t, err)
			got[held.EventID] = true
			deliver(t, s, held)
		}
		noneWith(t, s, options)
		if !got[last] {
			t.Errorf("%q: got %v, want %s", order, got, last)
		}
		listed, _, err := s.Deliveries(t.Context(), queue.Filter{Status: queue.StatusSuperseded}, queue.Page{Limit: 3})
		must(t, err)
		if len(listed) != 3 || listed[2].Attempts != 1 || !listed[0].FinishedAt.Equal(began) || !listed[0].DueAt.IsZero() {
			t.Errorf("%q: got %+v", order, listed)
		}
	}
	// Without an order, nothing waits for another.
	publish(t, s, item("1"), "erp")
	publish(t, s, item("1"), "erp")
	for range 2 {
		held, err := tryWith(t.Context(), s, queue.LeaseOptions{For: lease, Order: queue.OrderNone, Coalesce: true})
		must(t, err)
		deliver(t, s, held)
	}
}
