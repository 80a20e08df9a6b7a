// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

func storedEndpoint(id string) queue.Record {
	return queue.Record{Kind: queue.KindEndpoint, ID: id, Owner: "acme", Version: queue.AnyVersion, Value: []byte("sealed")}
}

// routed is what reconciling an object found, routed at an epoch.
func routed(held queue.MarkLease, epoch uint64, endpoints ...string) queue.Reconciled {
	sequence := uint64(1)
	if held.Snapshot != nil {
		sequence = held.Snapshot.Sequence + 1
	}
	return queue.Reconciled{
		AskedAt:  time.Now(),
		Epoch:    epoch,
		Snapshot: &event.Snapshot{Key: held.Key, Sequence: sequence, Time: time.Now()},
		Events: []queue.Routed{{
			Event: event.Event{
				ID: fmt.Sprintf("%s-%d", held.Key, sequence), Type: "items.updated", Key: held.Key, Sequence: sequence, Payload: []byte("{}"),
			},
			Endpoints: endpoints,
		}},
	}
}

// routedToPresent commits what was routed at one epoch and at another.
func routedToPresent(t *testing.T, s queue.Store) {
	ctx := t.Context()
	stale := func(when string, held queue.MarkLease, reconciled queue.Reconciled) {
		t.Helper()
		if err := s.CommitReconciled(ctx, held, reconciled); !errors.Is(err, queue.ErrStale) {
			t.Errorf("%s: %v, want ErrStale", when, err)
		}
	}
	markKey(t, s, item("1"))
	held := leaseMark(t, s, "items")
	stale("before there is any", held, routed(held, 1))
	first := change(t, s, storedEndpoint("ep_1"))
	reconciled := routed(held, 0, "erp")
	reconciled.Marks = []queue.Mark{{Key: item("2")}}
	reconciled.Unresolved, reconciled.CloseCallback = "why", true
	stale("after the first", held, reconciled)

	// Nothing has changed, and the object is still leased.
	noMark(t, s, "items")
	events, _, err := s.Events(ctx, queue.Filter{}, queue.Page{})
	must(t, err)
	unresolved, _, err := s.Unresolved(ctx, queue.Page{})
	must(t, err)
	if _, err := s.Object(ctx, item("1")); !errors.Is(err, queue.ErrNotFound) || len(events)+len(unresolved) != 0 {
		t.Errorf("got %v, %v, and %v of the object", events, unresolved, err)
	}
	noDelivery(t, s, "erp")

	// What has no events is not routed.
	markKey(t, s, item("3"))
	other := leaseMark(t, s, "items")
	without := routed(other, 0)
	without.Events = nil
	must(t, s.CommitReconciled(ctx, other, without))

	// Records of another kind, and changes of nothing, move nothing.
	change(t, s, noted("a", "1", 0))
	change(t, s, queue.Record{Kind: queue.KindEndpoint, ID: "nobody", Version: queue.AnyVersion})
	wantConflict(t, s, "ep_1", queue.Record{Kind: queue.KindEndpoint, ID: "ep_1", Version: first + 9, Value: []byte("x")})
	must(t, s.CommitReconciled(ctx, held, routed(held, first, "erp")))
	if got := leaseDelivery(t, s, "erp"); got.EventID != "items/1-1" {
		t.Errorf("got %+v", got.Delivery)
	}

	// A change and a delete move the epoch as well.
	markKey(t, s, item("1"))
	held = leaseMark(t, s, "items")
	second := change(t, s, storedEndpoint("ep_1"))
	stale("after a change", held, routed(held, first))
	third := change(t, s, queue.Record{Kind: queue.KindEndpoint, ID: "ep_1", Version: second})
	stale("after a delete", held, routed(held, second))
	must(t, s.CommitReconciled(ctx, held, routed(held, third)))

	// Who does not hold the lease any more has to hear that.
	markKey(t, s, item("1"))
	held = leaseMark(t, s, "items")
	time.Sleep(lease)
	if err := s.CommitReconciled(ctx, held, routed(held, 0)); !errors.Is(err, queue.ErrLeaseLost) {
		t.Errorf("got %v, want ErrLeaseLost", err)
	}
	// A lease that was stale passes like any other.
	held = leaseMark(t, s, "items")
	stale("at last", held, routed(held, 0))
	time.Sleep(lease)
	held = leaseMark(t, s, "items")
	must(t, s.CommitReconciled(ctx, held, routed(held, third)))
}

// endpointMissesNothing makes endpoints while events are committed that are routed
// to a copy which is read again only when it is stale.
func endpointMissesNothing(t *testing.T, s queue.Store) {
	const workers, rounds = 4, 25
	ctx := t.Context()
	listed := func() (all []string) {
		page := queue.Page{}
		for {
			events, next, err := s.Events(ctx, queue.Filter{}, page)
			must(t, err)
			for i := range events {
				all = append(all, events[i].ID)
			}
			if page.Cursor = next; next == "" {
				return all
			}
		}
	}
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() { commitRouted(t, s, fmt.Sprint("object ", worker), rounds) })
	}
	before := make([][]string, rounds)
	group.Go(func() {
		for i := range rounds {
			if _, err := s.Change(ctx, storedEndpoint(fmt.Sprintf("ep_%02d", i))); err != nil {
				t.Error(err)
			}
			// All that is not there yet is committed afterwards.
			before[i] = listed()
			time.Sleep(time.Microsecond)
		}
	})
	group.Wait()
	all := listed()
	if len(all) != workers*rounds {
		t.Errorf("there are %d events, want %d", len(all), workers*rounds)
	}
	after := 0
	for i := range rounds {
		got := make(map[string]bool)
		page := queue.Page{Limit: queue.MaxLimit}
		deliveries, _, err := s.Deliveries(ctx, queue.Filter{Endpoint: fmt.Sprintf("ep_%02d", i)}, page)
		must(t, err)
		for j := range deliveries {
			got[deliveries[j].EventID] = true
		}
		for _, id := range all {
			if !slices.Contains(before[i], id) {
				after++
				if !got[id] {
					t.Errorf("endpoint %d misses %s", i, id)
				}
			}
		}
	}
	if after == 0 {
		t.Error("nothing was committed after an endpoint was made")
	}
}

// commitRouted commits events of one object, as a process does that has a copy of
// the endpoints.
func commitRouted(t *testing.T, s queue.Store, resource string, rounds int) {
	ctx := t.Context()
	var epoch uint64
	var endpoints []string
	for range rounds {
		key := event.Key{Resource: resource, ID: "1"}
		if err := s.ResolveIntent(ctx, 0, queue.Resolution{Marks: []queue.Mark{{Key: key}}}, true); err != nil {
			t.Error(err)
			return
		}
		held, err := s.LeaseMark(ctx, resource, lease)
		if err != nil {
			t.Error(err)
			return
		}
		for {
			err = s.CommitReconciled(ctx, held, routed(held, epoch, endpoints...))
			if !errors.Is(err, queue.ErrStale) {
				break
			}
			if epoch, err = s.Await(ctx, queue.KindEndpoint, epoch); err != nil {
				break
			}
			records, _, listErr := s.Records(ctx, queue.KindEndpoint, queue.Page{Limit: queue.MaxLimit})
			if err = listErr; err != nil {
				break
			}
			endpoints = nil
			for _, r := range records {
				endpoints = append(endpoints, r.ID)
			}
		}
		if err != nil {
			t.Error(err)
			return
		}
		time.Sleep(time.Microsecond)
	}
}

// guarded commits on the condition that a record is as it was.
func guarded(t *testing.T, s queue.Store) {
	ctx := t.Context()
	markKey(t, s, item("1"))
	held := leaseMark(t, s, "items")
	note := noted("a", "1", 0)
	commit := func(version uint64) error {
		reconciled := routed(held, 0, "erp")
		reconciled.Events = nil
		reconciled.Guard = queue.Record{Kind: note.Kind, ID: note.ID, Version: version}
		return s.CommitReconciled(ctx, held, reconciled)
	}
	stale := func(when string, version uint64) {
		t.Helper()
		if err := commit(version); !errors.Is(err, queue.ErrStale) {
			t.Errorf("%s: %v, want ErrStale", when, err)
		}
		if _, err := s.Object(ctx, held.Key); !errors.Is(err, queue.ErrNotFound) {
			t.Errorf("%s: the object is known: %v", when, err)
		}
		noMark(t, s, "items")
	}
	stale("of a record that is not there", 7)
	first := change(t, s, note)
	stale("of a record that was not there", 0)
	second := change(t, s, noted("a", "2", first))
	stale("of a record that has changed", first)
	must(t, commit(second))
	if kept, err := s.Record(ctx, note.Kind, note.ID); err != nil || kept.Version != second || string(kept.Value) != "2" {
		t.Errorf("the record is %+v, %v", kept, err)
	}

	markKey(t, s, item("2"))
	held = leaseMark(t, s, "items")
	change(t, s, without(note, second))
	stale("of a record that is gone", second)
	brief := noted("a", "3", 0)
	brief.Expires = time.Now().Add(time.Minute)
	third := change(t, s, brief)
	time.Sleep(time.Minute)
	held = leaseMark(t, s, "items")
	stale("of a record that has expired", third)
	must(t, commit(0))
	// That there are no events was decided by the endpoints, too.
	markKey(t, s, item("3"))
	held = leaseMark(t, s, "items")
	change(t, s, storedEndpoint("ep_1"))
	stale("by other endpoints", 0)
}
