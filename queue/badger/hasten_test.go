// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// TestHastenAfterReopening brings forward what an earlier process left waiting, and
// finds it brought forward after one more.
func TestHastenAfterReopening(t *testing.T) {
	dir := t.TempDir()
	open := func() *Store {
		s, err := Open(Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	ctx := t.Context()
	later := time.Now().Add(time.Hour)
	s := open()
	for _, id := range []string{"1", "2"} {
		key := event.Key{Resource: "items", ID: id}
		if err := s.ResolveIntent(ctx, 0, queue.Resolution{Marks: []queue.Mark{{Key: key}}}, true); err != nil {
			t.Fatal(err)
		}
		mark, err := s.LeaseMark(ctx, "items", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		e := event.Event{ID: "e" + id, Type: "items.updated", Key: key, Sequence: 1, Time: time.Now()}
		if err := s.CommitReconciled(ctx, mark, queue.Reconciled{AskedAt: time.Now(), Events: []queue.Routed{{Event: e, Endpoints: []string{"erp"}}}}); err != nil {
			t.Fatal(err)
		}
		held, err := s.LeaseDelivery(ctx, "erp", queue.LeaseOptions{For: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.FinishAttempt(ctx, held, queue.Attempt{Code: 503}, queue.Verdict{Status: queue.StatusPending, RetryAt: later}); err != nil {
			t.Fatal(err)
		}
	}
	reopen := func() {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open()
	}
	reopen()
	if n, err := s.HastenDeliveries(ctx, "erp", queue.Hasten{Key: event.Key{Resource: "items", ID: "2"}}); err != nil || n != 1 {
		t.Fatalf("hastened %d: %v", n, err)
	}
	reopen()
	held, err := s.LeaseDelivery(ctx, "erp", queue.LeaseOptions{For: time.Minute})
	if err != nil || held.EventID != "e2" || held.HastenedFrom.UnixNano() != later.UnixNano() {
		t.Fatalf("got %+v: %v", held.Delivery, err)
	}
	if err := s.FinishAttempt(ctx, held, queue.Attempt{Code: 503}, queue.Verdict{Status: queue.StatusPending, RetryAt: held.HastenedFrom}); err != nil {
		t.Fatal(err)
	}
	reopen()
	listed, _, err := s.Deliveries(ctx, queue.Filter{}, queue.Page{})
	if err != nil || listed[0].ExtraAttempts != 1 || listed[0].Attempts != 2 || listed[0].DueAt.UnixNano() != later.UnixNano() {
		t.Fatalf("got %+v: %v", listed, err)
	}
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if got, err := s.LeaseDelivery(short, "erp", queue.LeaseOptions{For: time.Minute}); err == nil {
		t.Errorf("%s is leased before its time", got.EventID)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
