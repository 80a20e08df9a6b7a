// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"fmt"
	"math"
	"runtime/debug"
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
	clock := newClock(time.Now())
	s, err := Open(Options{Dir: t.TempDir(), Retention: time.Hour, Now: clock.now})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	commitEvent(t, s, 0, []byte("{}"))
	clock.add(2 * time.Minute)
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

// Memory is limited, and the oldest go first.
func TestRecentEventsAreLimited(t *testing.T) {
	r := newRecentEvents()
	r.limit = 1 << 20
	most := uint64(r.limit / (100 + recentCost))
	for i := range 10 * most {
		r.put(i, make([]byte, 100), false)
		r.put(i, make([]byte, 100), false) // again
	}
	if uint64(len(r.records)) != most || uint64(len(r.order)) != most || r.bytes != int(most)*(100+recentCost) {
		t.Errorf("%d events, %d in order, %d bytes; want %d events", len(r.records), len(r.order), r.bytes, most)
	}
	if record, _, _ := r.get(10*most - 1); record == nil {
		t.Error("the newest is gone")
	}
	for i := range uint64(1000) {
		r.put(1<<32+i, make([]byte, maxRecentRecord), false)
	}
	if r.bytes > r.limit {
		t.Errorf("%d bytes are kept, more than %d", r.bytes, r.limit)
	}
	r.put(1<<40, make([]byte, maxRecentRecord+1), false)
	if record, _, _ := r.get(1 << 40); record != nil {
		t.Error("a large record is kept")
	}
}

// Who may use little memory keeps few events.
func TestRecentEventsShareMemory(t *testing.T) {
	before := debug.SetMemoryLimit(64 << 20)
	defer debug.SetMemoryLimit(before)
	if got := newRecentEvents().limit; got != 4<<20 {
		t.Errorf("%d bytes of 64 MiB", got)
	}
	debug.SetMemoryLimit(math.MaxInt64)
	if got := newRecentEvents().limit; got != maxRecentBytes {
		t.Errorf("%d bytes without a limit", got)
	}
}

// What is read ahead follows its use: one endpoint with a backlog uses all of it; of many,
// each uses what the others have read, as long as it is kept.
func TestReadingAheadFollowsItsUse(t *testing.T) {
	// drain has endpoints lease their events by turns, some at a time: of the endpoint n
	// is every event at n plus a multiple of their number. It returns how many events
	// were read for each that was leased.
	drain := func(r *recentEvents, endpoints, leased, rounds int) float64 {
		read, asked := 0, 0
		for round := range rounds {
			for endpoint := range endpoints {
				for i := range leased {
					position := uint64((round*leased+i)*endpoints + endpoint)
					asked++
					record, _, ahead := r.get(position)
					if record != nil {
						continue
					}
					read++
					for next := range uint64(ahead) {
						read++
						r.put(position+1+next, make([]byte, 1000), true)
					}
					if ahead > 0 {
						r.passed(position + 1 + uint64(ahead))
					}
				}
			}
		}
		return float64(read) / float64(asked)
	}
	r := newRecentEvents()
	if cost := drain(r, 1, 64, 100); cost > 1.01 || r.ahead != maxReadAhead {
		t.Errorf("one endpoint: %.2f events are read for each that is leased, %d at once", cost, r.ahead)
	}
	r = newRecentEvents()
	if cost := drain(r, 100, 64, 20); cost > 1.1 {
		t.Errorf("a hundred endpoints: %.2f events are read for each that is leased", cost)
	}
	r.limit = 1 << 20 // too few for all of them
	if cost := drain(r, 100, 64, 20); cost > 4 || r.ahead > 8 {
		t.Errorf("a hundred endpoints in little memory: %.2f events are read for each that is leased, %d at once", cost, r.ahead)
	}
	if drain(r, 1, 64, 1000); r.ahead != maxReadAhead {
		t.Errorf("afterwards one endpoint: %d are read at once", r.ahead)
	}
}

// The event of many endpoints is decoded once, and each of them is leased the same as
// from a store that has just been opened, in its own form.
func TestRecentEventsAreShared(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir})
	must(t, err)
	const endpoints = 50
	key := event.Key{Resource: "x", ID: "1"}
	to := queue.Routed{Formats: map[string]string{}, Event: event.Event{
		ID: "evt_1", Type: "x.updated", Key: key, Time: s.now(), Op: event.OpChange, Changed: event.Pointers{"/a"},
		Previous: event.Fields{"state": []byte(`"old"`)}, Payload: []byte(`{"a":1}`),
	}}
	for i := range endpoints {
		name := fmt.Sprintf("e%d", i)
		to.Endpoints = append(to.Endpoints, name)
		to.Formats[name] = fmt.Sprintf("form %d", i%3)
	}
	must(t, s.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: []queue.Mark{{Key: key}}}, true))
	mark, err := s.LeaseMark(t.Context(), key.Resource, time.Minute)
	must(t, err)
	must(t, s.CommitReconciled(t.Context(), mark, queue.Reconciled{Events: []queue.Routed{to}}))
	lease := func(s *Store) (leases []queue.DeliveryLease) {
		for _, name := range to.Endpoints {
			leased, err := s.LeaseDelivery(t.Context(), name, queue.LeaseOptions{For: time.Minute})
			must(t, err)
			if leased.Format != to.Formats[name] {
				t.Errorf("%s gets %q, want %q", name, leased.Format, to.Formats[name])
			}
			leased.Fence = 0
			leases = append(leases, leased)
		}
		return leases
	}
	fromMemory := lease(s)
	if len(s.recent.records) != 1 {
		t.Fatalf("%d events are kept", len(s.recent.records))
	}
	for _, kept := range s.recent.records {
		if kept.shared == nil || kept.cost < 2*len(kept.record)+endpoints*recentCost || s.recent.bytes != kept.cost {
			t.Errorf("the event is shared: %t; it costs %d of %d bytes", kept.shared != nil, kept.cost, s.recent.bytes)
		}
	}
	must(t, s.Close())
	s, err = Open(Options{Dir: dir})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	for i, want := range lease(s) {
		if got := fromMemory[i]; fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("delivery %d: from memory\n%+v\nfrom disk\n%+v", i, got, want)
		}
	}
}

// What is shared counts for the limit, and an event that is gone is not shared.
func TestSharedEventsAreLimited(t *testing.T) {
	r := newRecentEvents()
	r.limit = 100_000
	shared := newSharedEvent(&eventRecord{Endpoints: make([]string, 100), Formats: make([]string, 100)})
	for i := range uint64(100) {
		r.put(i, make([]byte, 1000), false)
		r.share(i, shared)
		r.share(i, shared) // by another at the same time
		if r.bytes > r.limit {
			t.Fatalf("%d bytes are kept, more than %d", r.bytes, r.limit)
		}
	}
	if want := r.limit / (2*1000 + 101*recentCost); len(r.records) != want || len(r.order) != want || r.bytes != want*(2*1000+101*recentCost) {
		t.Errorf("%d events are kept, %d in order, %d bytes; want %d events", len(r.records), len(r.order), r.bytes, want)
	}
	before := r.bytes
	if r.share(0, shared); r.bytes != before {
		t.Error("an event that is gone is shared")
	}
}
