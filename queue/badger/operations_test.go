// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// inBubble runs a test whose clock moves only when all wait.
func inBubble(t *testing.T, name string, test func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

// leaseOrdered leases a delivery to erp, if one is due.
func leaseOrdered(t *testing.T, s *Store, order queue.Order) (queue.DeliveryLease, bool) {
	t.Helper()
	must(t, s.SetOrder(t.Context(), "erp", order))
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	held, err := s.LeaseDelivery(ctx, "erp", queue.LeaseOptions{For: time.Hour})
	if errors.Is(err, context.DeadlineExceeded) {
		return held, false
	}
	must(t, err)
	return held, true
}

// A delivery that waits for a retry, and one before it that was redelivered,
// are found in any order after the queue was opened again.
func TestReopenedOrders(t *testing.T) {
	for _, test := range []struct {
		order queue.Order
		due   []string
	}{
		{queue.OrderObject, []string{"items/1-1", "items/2-1", "items/1-2"}},
		{queue.OrderEndpoint, []string{"items/1-1", "items/2-1", "items/1-2"}},
		{queue.OrderNone, []string{"items/1-1", "items/2-1", "items/1-2", "items/1-4"}},
	} {
		inBubble(t, "order "+string(test.order), func(t *testing.T) {
			dir := t.TempDir()
			s := mustOpen(t, Options{Dir: dir, Durability: queue.Process})
			publish(t, s, "1", "erp")
			finish(t, s, "erp", queue.Verdict{Status: queue.StatusDelivered})
			publish(t, s, "2", "erp")
			for range 3 {
				publish(t, s, "1", "erp")
			}
			// The third of the object waits for an hour.
			for range 4 {
				held, _ := leaseOrdered(t, s, queue.OrderNone)
				if held.EventID != "items/1-3" {
					continue
				}
				verdict := queue.Verdict{Status: queue.StatusPending, RetryAt: time.Now().Add(time.Hour)}
				must(t, s.FinishAttempt(t.Context(), held, queue.Attempt{}, verdict))
			}
			n, _, err := s.Redeliver(t.Context(), queue.Selection{EventID: "items/1-1"}, queue.Page{})
			if err != nil || n != 1 {
				t.Fatalf("redelivered %d: %v", n, err)
			}
			must(t, s.Close())
			s = mustOpen(t, Options{Dir: dir, Durability: queue.Process})
			got := make(map[string]bool)
			var last queue.DeliveryLease
			for {
				held, due := leaseOrdered(t, s, test.order)
				if !due {
					break
				}
				if held.Key == last.Key && held.Sequence <= last.Sequence {
					t.Errorf("%s comes after %s", held.EventID, last.EventID)
				}
				got[held.EventID], last = true, held
				must(t, s.FinishAttempt(t.Context(), held, queue.Attempt{}, queue.Verdict{Status: queue.StatusDelivered}))
			}
			if len(got) != len(test.due) {
				t.Errorf("got %v, want %v", got, test.due)
			}
			for _, id := range test.due {
				if !got[id] {
					t.Errorf("%s is missing", id)
				}
			}
		})
	}
}

// Deliveries are listed when their events have expired, but no longer
// redelivered or replayed.
func TestExpiredEvents(t *testing.T) {
	clock := newClock(time.Now())
	s := mustOpen(t, Options{Now: clock.now, Retention: time.Hour})
	publish(t, s, "1", "erp", "crm")
	clock.add(30 * time.Minute)
	finish(t, s, "erp", queue.Verdict{Status: queue.StatusDead})
	clock.add(45 * time.Minute)
	deliveries, _, err := s.Deliveries(t.Context(), queue.Filter{}, queue.Page{})
	must(t, err)
	attempts, _, err := s.Attempts(t.Context(), queue.Filter{}, queue.Page{})
	must(t, err)
	if len(deliveries) != 2 || len(attempts) != 1 {
		t.Errorf("got %+v and %+v", deliveries, attempts)
	}
	if n, _, err := s.Redeliver(t.Context(), queue.Selection{}, queue.Page{}); err != nil || n != 0 {
		t.Errorf("redelivered %d: %v", n, err)
	}
	if n, _, err := s.Replay(t.Context(), "new", queue.Selection{}, queue.Page{}); err != nil || n != 0 {
		t.Errorf("replayed %d: %v", n, err)
	}
	if n, _, err := s.Cancel(t.Context(), queue.Selection{}, queue.Page{}); err != nil || n != 1 {
		t.Errorf("cancelled %d: %v", n, err)
	}
}

// While some deliver, others redeliver, replay and cancel: in the end all is
// decided, counted right, and nothing is left in memory or on the disk.
func TestOperationsRace(t *testing.T) {
	for _, order := range []queue.Order{queue.OrderObject, queue.OrderEndpoint, queue.OrderNone} {
		inBubble(t, "order "+string(order), func(t *testing.T) { operationsRace(t, order) })
	}
}

func operationsRace(t *testing.T, order queue.Order) {
	s := mustOpen(t, Options{Durability: queue.Process, Logger: zaptest.NewLogger(t)})
	must(t, s.SetOrder(t.Context(), "erp", order))
	ctx, stop := context.WithCancel(t.Context())
	var workers, operators sync.WaitGroup
	for n := range 4 {
		workers.Go(func() {
			for i := 0; ; i++ {
				held, err := s.LeaseDelivery(ctx, "erp", queue.LeaseOptions{For: time.Minute, Coalesce: n == 0})
				if err != nil {
					return
				}
				verdict := queue.Verdict{Status: queue.StatusDelivered}
				if i%3 == 0 {
					verdict = queue.Verdict{Status: queue.StatusPending, RetryAt: time.Now().Add(time.Millisecond)}
				}
				if i%7 == 0 {
					err = s.ReleaseDelivery(t.Context(), held)
				} else {
					err = s.FinishAttempt(t.Context(), held, queue.Attempt{}, verdict)
				}
				if err != nil {
					t.Errorf("%s: %v", held.EventID, err)
				}
			}
		})
	}
	operators.Go(func() {
		for range 40 {
			for id := range 3 {
				publish(t, s, fmt.Sprint(id), "erp")
			}
		}
	})
	for _, operate := range []func() (int, queue.Cursor, error){
		func() (int, queue.Cursor, error) {
			return s.Redeliver(t.Context(), queue.Selection{}, queue.Page{Limit: 7})
		},
		func() (int, queue.Cursor, error) {
			return s.Replay(t.Context(), "erp", queue.Selection{Key: item("1")}, queue.Page{Limit: 5})
		},
		func() (int, queue.Cursor, error) {
			return s.Cancel(t.Context(), queue.Selection{Key: item("2")}, queue.Page{Limit: 100})
		},
	} {
		operators.Go(func() {
			for range 60 {
				if _, _, err := operate(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	operators.Wait()
	deadline := time.Now().Add(30 * time.Second)
	for {
		stats, err := s.Stats(t.Context())
		must(t, err)
		if len(stats.PendingDeliveries) == 0 && len(stats.Lanes) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("left: %+v", stats)
		}
		time.Sleep(time.Millisecond)
	}
	stop()
	workers.Wait()
	if rows := countKeys(t, s, kindLane); rows != 0 {
		t.Errorf("%d rows are left", rows)
	}
	if got := s.Damaged(); got != 0 {
		t.Errorf("%d rows are taken for damaged", got)
	}
	pending, _, err := s.Deliveries(t.Context(), queue.Filter{Status: queue.StatusPending}, queue.Page{})
	must(t, err)
	if len(pending) != 0 {
		t.Errorf("still pending: %+v", pending)
	}
	checkAttempts(t, s)
}

// A closed callback expires with the retention, others stay.
func TestClosedCallback(t *testing.T) {
	s := mustOpen(t, Options{Retention: time.Hour})
	for id, closes := range map[string]bool{"1": false, "2": true} {
		must(t, s.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: []queue.Mark{{Key: item(id), Callback: []byte("a")}}}, true))
		must(t, s.CommitReconciled(t.Context(), leaseMark(t, s), queue.Reconciled{AskedAt: time.Now(), CloseCallback: closes}))
		must(t, s.PutCallback(t.Context(), item(id), []byte("a"), []byte("b")))
		expires := expiryOf(t, s, objectKey(nil, kindCallback, item(id)))
		if in := time.Until(time.Unix(int64(expires), 0)); closes != (expires != 0) || closes && in > time.Hour {
			t.Errorf("closed: %v, expires at %d", closes, expires)
		}
	}
}
