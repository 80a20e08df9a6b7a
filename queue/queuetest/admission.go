// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

func postponedDelivery(t *testing.T, s queue.Store) {
	publish(t, s, item("1"), "erp")
	publish(t, s, item("1"), "erp")
	publish(t, s, item("2"), "erp")
	held := leaseDelivery(t, s, "erp")
	must(t, s.PostponeDelivery(t.Context(), held, time.Now().Add(lease/2)))
	if other := leaseDelivery(t, s, "erp"); other.Key == held.Key {
		t.Errorf("got %+v, which is postponed, or behind it", other.Delivery)
	}
	noDelivery(t, s, "erp")
	time.Sleep(lease / 2)
	again := leaseDelivery(t, s, "erp")
	if again.Attempts != 0 || again.EventID != held.EventID {
		t.Errorf("got %+v", again.Delivery)
	}
	if err := s.PostponeDelivery(t.Context(), held, time.Now()); !errors.Is(err, queue.ErrLeaseLost) {
		t.Errorf("the second time: %v, want ErrLeaseLost", err)
	}
}

// admission refuses a delivery that is larger than the room, and leases it when
// there is room.
func admission(t *testing.T, s queue.Store) {
	const size = 3 << 20
	commitEvents(t, s, queue.Routed{
		Event:     event.Event{ID: "large", Key: item("1"), Sequence: 1, Payload: bytes.Repeat([]byte("x"), size)},
		Endpoints: []string{"erp"},
	})
	commitEvents(t, s, queue.Routed{
		Event: event.Event{ID: "small", Key: item("2"), Sequence: 1, Payload: []byte("x")}, Endpoints: []string{"crm"},
	})
	room, asked := int64(size-1), int64(0)
	options := queue.LeaseOptions{For: lease, Admit: func(size int64) bool {
		asked = size
		return size <= room
	}}
	for range 3 {
		if got, err := s.LeaseDelivery(t.Context(), "erp", options); !errors.Is(err, queue.ErrNotAdmitted) {
			t.Fatalf("got %s and %v, want ErrNotAdmitted", got.EventID, err)
		}
	}
	if asked < size || asked > size+1<<20 {
		t.Errorf("asked for %d bytes, the payload has %d", asked, size)
	}
	if got, err := s.LeaseDelivery(t.Context(), "crm", options); err != nil || got.EventID != "small" || asked > 4<<10 {
		t.Errorf("got %s and %v, asked for %d bytes", got.EventID, err, asked)
	}
	room = 1 << 30
	got, err := s.LeaseDelivery(t.Context(), "erp", options)
	if err != nil || got.EventID != "large" || got.Attempts != 0 || len(got.Event.Payload) != size {
		t.Errorf("got %s and %v", got.EventID, err)
	}
}
