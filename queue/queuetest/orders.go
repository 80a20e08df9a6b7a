// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// setOrder sets the order of the endpoint erp.
func setOrder(t *testing.T, s queue.Store, order queue.Order) {
	t.Helper()
	must(t, s.SetOrder(t.Context(), "erp", order))
}

func leaseNext(t *testing.T, s queue.Store, want string) queue.DeliveryLease {
	t.Helper()
	held := leaseDelivery(t, s, "erp")
	if held.EventID != want {
		t.Fatalf("got %q, want %s", held.EventID, want)
	}
	return held
}

func deliver(t *testing.T, s queue.Store, held queue.DeliveryLease) {
	t.Helper()
	must(t, s.FinishAttempt(t.Context(), held, queue.Attempt{Code: 200}, delivered()))
}

func retryAt(t *testing.T, s queue.Store, held queue.DeliveryLease, at time.Time) {
	t.Helper()
	must(t, s.FinishAttempt(t.Context(), held, queue.Attempt{Code: 500}, queue.Verdict{Status: queue.StatusPending, RetryAt: at}))
}

// interleave commits events of two objects in turn.
func interleave(t *testing.T, s queue.Store) {
	for _, id := range []string{"1", "2", "2", "1"} {
		publish(t, s, item(id), "erp")
		time.Sleep(time.Second)
	}
}

func endpointInOrder(t *testing.T, s queue.Store) {
	setOrder(t, s, queue.OrderEndpoint)
	interleave(t, s)
	held := leaseNext(t, s, "items/1-1")
	noDelivery(t, s, "erp")
	retryAt(t, s, held, time.Now().Add(time.Minute))
	noDelivery(t, s, "erp")
	time.Sleep(time.Minute)
	for _, id := range []string{"items/1-1", "items/2-1", "items/2-2", "items/1-2"} {
		deliver(t, s, leaseNext(t, s, id))
	}
	noDelivery(t, s, "erp")
}

func deliveriesWithoutOrder(t *testing.T, s queue.Store) {
	setOrder(t, s, queue.OrderNone)
	publish(t, s, item("1"), "erp")
	first := leaseNext(t, s, "items/1-1")
	publish(t, s, item("1"), "erp")
	publish(t, s, item("1"), "erp")
	second := leaseNext(t, s, "items/1-2")
	retryAt(t, s, second, time.Now().Add(time.Minute))
	deliver(t, s, leaseNext(t, s, "items/1-3"))
	noDelivery(t, s, "erp")
	deliver(t, s, first)
	time.Sleep(time.Minute)
	if held := leaseNext(t, s, "items/1-2"); held.Attempts != 1 {
		t.Errorf("got %+v", held.Delivery)
	}
	time.Sleep(lease)
	deliver(t, s, leaseNext(t, s, "items/1-2"))
	noDelivery(t, s, "erp")
}

// orderChanges changes an endpoint's order with deliveries in flight and
// waiting: none is lost, none overtakes, and none is in flight beside another
// that the new order forbids.
func orderChanges(t *testing.T, s queue.Store) {
	interleave(t, s)
	setOrder(t, s, queue.OrderNone)
	flying := make(map[string]queue.DeliveryLease)
	for range 3 {
		held := leaseDelivery(t, s, "erp")
		flying[held.EventID] = held
	}
	setOrder(t, s, queue.OrderObject)
	noDelivery(t, s, "erp")
	later := time.Now().Add(30 * time.Second)
	retryAt(t, s, flying["items/1-1"], later)
	deliver(t, s, flying["items/2-1"])
	// The lease of the third passes.
	noDelivery(t, s, "erp")
	time.Sleep(lease)
	setOrder(t, s, queue.OrderEndpoint)
	deliver(t, s, leaseNext(t, s, "items/1-1"))
	held := leaseNext(t, s, "items/2-2")
	retryAt(t, s, held, time.Now().Add(time.Minute))
	noDelivery(t, s, "erp")
	setOrder(t, s, queue.OrderObject)
	deliver(t, s, leaseNext(t, s, "items/1-2"))
	noDelivery(t, s, "erp")
	setOrder(t, s, queue.OrderNone)
	noDelivery(t, s, "erp")
	time.Sleep(time.Minute)
	if held = leaseNext(t, s, "items/2-2"); held.Attempts != 1 {
		t.Errorf("got %+v", held.Delivery)
	}
	deliver(t, s, held)
	wantPending(t, s, map[string]int{}, map[string]int{})
}

// latestOrder changes the order while workers wait for deliveries, and back
// while some of them have one.
func latestOrder(t *testing.T, s queue.Store) {
	if err := s.SetOrder(t.Context(), "erp", "random"); err == nil {
		t.Error("an order that is none is taken")
	}
	leased := make(chan queue.DeliveryLease)
	for range 3 {
		go func() {
			held, err := s.LeaseDelivery(t.Context(), "erp", queue.LeaseOptions{For: lease})
			if err != nil {
				t.Error(err)
			}
			leased <- held
		}()
	}
	synctest.Wait()
	setOrder(t, s, queue.OrderEndpoint)
	setOrder(t, s, queue.OrderNone)
	publish(t, s, item("1"), "erp")
	first := <-leased
	publish(t, s, item("1"), "erp")
	second := <-leased
	setOrder(t, s, queue.OrderObject)
	publish(t, s, item("2"), "erp")
	none := func() {
		t.Helper()
		synctest.Wait()
		select {
		case held := <-leased:
			t.Fatalf("%s is leased beside one that was leased under another order", held.EventID)
		default:
		}
	}
	none()
	deliver(t, s, first)
	none()
	// Setting the present order again takes the change back.
	setOrder(t, s, queue.OrderNone)
	third := <-leased
	if third.EventID != "items/2-1" {
		t.Errorf("got %s", third.EventID)
	}
	deliver(t, s, third)
	deliver(t, s, second)
	// The order outlives its deliveries.
	publish(t, s, item("1"), "erp")
	publish(t, s, item("1"), "erp")
	leaseNext(t, s, "items/1-3")
	leaseNext(t, s, "items/1-4")
}

func tryWith(ctx context.Context, s queue.Store, options queue.LeaseOptions) (queue.DeliveryLease, error) {
	ctx, cancel := context.WithTimeout(ctx, idle)
	defer cancel()
	return s.LeaseDelivery(ctx, "erp", options)
}

func coalescing(t *testing.T, s queue.Store) {
	options := queue.LeaseOptions{For: lease, Coalesce: true}
	for _, order := range []queue.Order{queue.OrderObject, queue.OrderEndpoint} {
		setOrder(t, s, order)
		for range 3 {
			publish(t, s, item("1"), "erp")
		}
		retryAt(t, s, leaseDelivery(t, s, "erp"), time.Now().Add(time.Minute))
		last := publish(t, s, item("1"), "erp")
		publish(t, s, item("2"), "erp")
		time.Sleep(time.Minute)
		began := time.Now()
		got := make(map[string]bool)
		for range 2 {
			held, err := tryWith(t.Context(), s, options)
			must(t, err)
			got[held.EventID] = true
			deliver(t, s, held)
		}
		noDelivery(t, s, "erp")
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
	setOrder(t, s, queue.OrderNone)
	publish(t, s, item("1"), "erp")
	publish(t, s, item("1"), "erp")
	for range 2 {
		held, err := tryWith(t.Context(), s, options)
		must(t, err)
		deliver(t, s, held)
	}
}
