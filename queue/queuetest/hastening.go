// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// hasten hastens deliveries of the endpoint erp, and checks how many.
func hasten(t *testing.T, s queue.Store, which queue.Hasten, want int) {
	t.Helper()
	n, err := s.HastenDeliveries(t.Context(), "erp", which)
	if err != nil || n != want {
		t.Fatalf("hastened %d, want %d: %v", n, want, err)
	}
}

// leaseItem leases the next delivery, which has to be of an object.
func leaseItem(t *testing.T, s queue.Store, id string) queue.DeliveryLease {
	t.Helper()
	held := leaseDelivery(t, s, "erp")
	if held.Key != item(id) {
		t.Fatalf("got %s, want items/%s", held.EventID, id)
	}
	return held
}

// hastening brings retries forward. What fails again is due when it was before,
// and its attempt is no part of the schedule.
func hastening(t *testing.T, s queue.Store) {
	for _, id := range []string{"1", "1", "2", "3"} {
		publish(t, s, item(id), "erp", "crm")
		time.Sleep(time.Second)
	}
	hasten(t, s, queue.Hasten{}, 0)
	later := time.Now().Add(time.Hour)
	retryAt(t, s, leaseItem(t, s, "1"), later)
	retryAt(t, s, leaseItem(t, s, "2"), later)
	held := leaseItem(t, s, "3")
	hasten(t, s, queue.Hasten{Key: item("3")}, 0)
	hasten(t, s, queue.Hasten{Key: item("2")}, 1)
	hasten(t, s, queue.Hasten{Key: item("2")}, 0)
	early := leaseItem(t, s, "2")
	if early.Attempts != 1 || early.ExtraAttempts != 0 || !early.HastenedFrom.Equal(later) {
		t.Errorf("got %+v", early.Delivery)
	}
	hasten(t, s, queue.Hasten{}, 1)
	retryAt(t, s, early, early.HastenedFrom)
	// Released, it is still hastened.
	first := leaseItem(t, s, "1")
	must(t, s.ReleaseDelivery(t.Context(), first))
	if first = leaseItem(t, s, "1"); !first.HastenedFrom.Equal(later) || first.Sequence != 1 {
		t.Errorf("got %+v", first.Delivery)
	}
	deliver(t, s, first)
	if second := leaseItem(t, s, "1"); !second.HastenedFrom.IsZero() || second.ExtraAttempts != 0 || second.Sequence != 2 {
		t.Errorf("got %+v", second.Delivery)
	} else {
		deliver(t, s, second)
	}
	deliver(t, s, held)
	noDelivery(t, s, "erp")

	listed, _, err := s.Deliveries(t.Context(), queue.Filter{Endpoint: "erp", Status: queue.StatusPending}, queue.Page{})
	must(t, err)
	if len(listed) != 1 || listed[0].Attempts != 2 || listed[0].ExtraAttempts != 1 || !listed[0].DueAt.Equal(later) || !listed[0].HastenedFrom.IsZero() {
		t.Errorf("got %+v", listed)
	}
	time.Sleep(time.Until(later))
	again := leaseItem(t, s, "2")
	if again.Attempts != 2 || again.ExtraAttempts != 1 || !again.HastenedFrom.IsZero() {
		t.Errorf("got %+v", again.Delivery)
	}
	retryAt(t, s, again, later.Add(time.Hour))
	// An operator's redelivery brings it forward in the same way, and one of what
	// is decided begins anew.
	redeliver(t, s, queue.Selection{Endpoint: "erp", Statuses: []queue.Status{queue.StatusPending}}, 1)
	again = leaseItem(t, s, "2")
	if again.Attempts != 3 || again.ExtraAttempts != 1 || !again.HastenedFrom.Equal(later.Add(time.Hour)) {
		t.Errorf("got %+v", again.Delivery)
	}
	must(t, s.FinishAttempt(t.Context(), again, queue.Attempt{Code: 500}, queue.Verdict{Status: queue.StatusDead}))
	redeliver(t, s, queue.Selection{Endpoint: "erp", Key: item("2")}, 1)
	if again = leaseItem(t, s, "2"); again.Attempts != 4 || again.PriorAttempts != 4 || again.ExtraAttempts != 0 || !again.HastenedFrom.IsZero() {
		t.Errorf("got %+v", again.Delivery)
	}
	wantPending(t, s, map[string]int{"erp": 1, "crm": 4}, nil)
}

// hasteningNext hastens one delivery at a time, and only while none is due.
func hasteningNext(t *testing.T, s queue.Store) {
	hasten(t, s, queue.Hasten{Next: true}, 0)
	began := time.Now()
	for i, id := range []string{"1", "2", "3"} {
		publish(t, s, item(id), "erp")
		retryAt(t, s, leaseItem(t, s, id), began.Add(time.Duration(3-i)*time.Hour))
	}
	hasten(t, s, queue.Hasten{Next: true}, 1)
	hasten(t, s, queue.Hasten{Next: true}, 0) // one is due
	third := leaseItem(t, s, "3")
	hasten(t, s, queue.Hasten{Next: true}, 1)
	second := leaseItem(t, s, "2")
	retryAt(t, s, third, third.HastenedFrom)
	hasten(t, s, queue.Hasten{Next: true}, 1)
	deliver(t, s, leaseItem(t, s, "3"))
	deliver(t, s, second)
	hasten(t, s, queue.Hasten{}, 1)
	deliver(t, s, leaseItem(t, s, "1"))
	hasten(t, s, queue.Hasten{}, 0)
}

// hasteningInOrder hastens an endpoint whose deliveries all wait for the first.
func hasteningInOrder(t *testing.T, s queue.Store) {
	setOrder(t, s, queue.OrderEndpoint)
	interleave(t, s)
	for _, next := range []bool{false, true} {
		held := leaseNext(t, s, "items/1-1")
		hasten(t, s, queue.Hasten{Next: next}, 0)
		retryAt(t, s, held, time.Now().Add(time.Hour))
		noDelivery(t, s, "erp")
		hasten(t, s, queue.Hasten{Next: next}, 1)
		hasten(t, s, queue.Hasten{Next: next}, 0)
	}
	for _, id := range []string{"items/1-1", "items/2-1", "items/2-2", "items/1-2"} {
		deliver(t, s, leaseNext(t, s, id))
	}
}

// hasteningWithoutOrder hastens several deliveries of one object.
func hasteningWithoutOrder(t *testing.T, s queue.Store) {
	setOrder(t, s, queue.OrderNone)
	for range 3 {
		publish(t, s, item("1"), "erp")
	}
	for range 3 {
		retryAt(t, s, leaseItem(t, s, "1"), time.Now().Add(time.Hour))
	}
	noDelivery(t, s, "erp")
	hasten(t, s, queue.Hasten{Key: item("2")}, 0)
	hasten(t, s, queue.Hasten{Key: item("1")}, 3)
	for range 3 {
		deliver(t, s, leaseItem(t, s, "1"))
	}
	noDelivery(t, s, "erp")
}
