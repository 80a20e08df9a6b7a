// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// commitEvent commits an event of an object of its own to an endpoint.
func commitEvent(t *testing.T, s *Store, number int, payload []byte) {
	t.Helper()
	key := event.Key{Resource: fmt.Sprintf("r%d", number), ID: "1"}
	must(t, s.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: []queue.Mark{{Key: key}}}, true))
	lease, err := s.LeaseMark(t.Context(), key.Resource, time.Minute)
	must(t, err)
	must(t, s.CommitReconciled(t.Context(), lease, queue.Reconciled{
		Events: []queue.Routed{{Endpoints: []string{"e"}, Event: event.Event{
			ID: fmt.Sprintf("evt_%d", number), Type: "x.updated", Key: key, Time: s.now(), Op: event.OpChange,
			Previous: event.Fields{"state": []byte(`"old"`)}, Payload: payload,
		}}},
	}))
}

// A leased event is the same whether it comes from memory, was read ahead, or
// is read for the lease; a large one does not come from memory.
func TestRecentEventsAreTheStoredOnes(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir})
	must(t, err)
	for i := range 100 {
		commitEvent(t, s, i, bytes.Repeat([]byte{'a' + byte(i%26)}, 10+i))
	}
	commitEvent(t, s, 100, bytes.Repeat([]byte("z"), 2*maxRecentRecord))
	lease := func(s *Store) []queue.DeliveryLease {
		var leases []queue.DeliveryLease
		for range 101 {
			leased, err := s.LeaseDelivery(t.Context(), "e", queue.LeaseOptions{For: time.Minute})
			must(t, err)
			leases = append(leases, leased)
		}
		return leases
	}
	fromMemory := lease(s)
	if got := len(s.recent.records); got != 100 {
		t.Errorf("%d events are kept in memory, want the 100 that are small", got)
	}
	must(t, s.Close())

	s, err = Open(Options{Dir: dir})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	fromDisk := lease(s)
	if len(s.recent.records) == 0 {
		t.Error("nothing was read ahead")
	}
	for i, want := range fromDisk {
		got := fromMemory[i]
		got.Fence, want.Fence = 0, 0
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("delivery %d: from memory\n%+v\nfrom disk\n%+v", i, got, want)
		}
		if want.EventID != fmt.Sprintf("evt_%d", i) {
			t.Errorf("delivery %d is of %s", i, want.EventID)
		}
	}
}

// An event whose retention has passed is gone from memory too.
func TestRecentEventsExpire(t *testing.T) {
	now := time.Now()
	s, err := Open(Options{Dir: t.TempDir(), Retention: time.Hour, Now: func() time.Time { return now }})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	commitEvent(t, s, 0, []byte("{}"))
	now = now.Add(2 * time.Minute)
	s.Configure(queue.Settings{Retention: time.Minute})
	leased, err := s.LeaseDelivery(t.Context(), "e", queue.LeaseOptions{For: time.Minute})
	must(t, err)
	if !leased.Expired || leased.Event.Payload != nil {
		t.Errorf("an event that is no longer kept was leased: %+v", leased)
	}
}

// There has to be room for an event from memory too.
func TestRecentEventsAreAdmitted(t *testing.T) {
	s, err := Open(Options{Dir: t.TempDir()})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	commitEvent(t, s, 0, bytes.Repeat([]byte("x"), 1000))
	var asked int64
	_, err = s.LeaseDelivery(t.Context(), "e", queue.LeaseOptions{For: time.Minute, Admit: func(size int64) bool {
		asked = size
		return false
	}})
	if err == nil || asked < 1000 {
		t.Errorf("got %v after asking for %d bytes; want ErrNotAdmitted after 1000 and more", err, asked)
	}
}

// Memory is limited in events and in bytes, and the oldest go first.
func TestRecentEventsAreLimited(t *testing.T) {
	r := newRecentEvents()
	for i := range uint64(10 * maxRecentEvents) {
		r.put(i, make([]byte, 100))
		r.put(i, make([]byte, 100)) // again
	}
	if len(r.records) != maxRecentEvents || len(r.order) != maxRecentEvents || r.bytes != 100*maxRecentEvents {
		t.Errorf("%d events, %d in order, %d bytes", len(r.records), len(r.order), r.bytes)
	}
	if record, _ := r.get(10*maxRecentEvents - 1); record == nil {
		t.Error("the newest is gone")
	}
	for i := range uint64(1000) {
		r.put(1<<32+i, make([]byte, maxRecentRecord))
	}
	if r.bytes > maxRecentBytes {
		t.Errorf("%d bytes are kept, more than %d", r.bytes, maxRecentBytes)
	}
	r.put(1<<40, make([]byte, maxRecentRecord+1))
	if record, _ := r.get(1 << 40); record != nil {
		t.Error("a large record is kept")
	}
}
