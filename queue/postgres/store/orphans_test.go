// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// leaseBoth marks an object and makes a delivery, and leases both for long.
func leaseBoth(ctx context.Context, t *testing.T, s *Store) (queue.MarkLease, queue.DeliveryLease) {
	t.Helper()
	key := event.Key{Resource: "items", ID: "1"}
	err := s.ResolveIntent(ctx, 0, queue.Resolution{Marks: []queue.Mark{{Key: key}}}, true)
	if err == nil {
		err = s.Announce(ctx, event.Event{ID: "e", Type: "items.updated", Key: key, Sequence: 1, Op: event.OpTest}, []string{"erp"})
	}
	if err != nil {
		t.Fatal(err)
	}
	return leasedBoth(ctx, t, s)
}

// leasedBoth leases what leaseBoth has made.
func leasedBoth(ctx context.Context, t *testing.T, s *Store) (mark queue.MarkLease, delivery queue.DeliveryLease) {
	t.Helper()
	mark, err := s.LeaseMark(ctx, "items", time.Hour)
	if err == nil {
		delivery, err = s.LeaseDelivery(ctx, "erp", queue.LeaseOptions{For: time.Hour})
	}
	if err != nil {
		t.Fatal(err)
	}
	return mark, delivery
}

// What a node had leased that was killed waits until it is called dead, and not for the time of
// the leases.
func TestLeasesOfTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		empty(t)
		ctx := t.Context()
		killed := open(t, Options{DSN: server.DSN("postgres"), Now: time.Now})
		other := open(t, Options{DSN: server.DSN("postgres"), Now: time.Now})
		defer other.Close()
		leaseBoth(ctx, t, killed)
		killed.end(func(context.Context) {})
		began := time.Now()
		leasedBoth(ctx, t, other)
		if waited := time.Since(began); waited > 2*silence*DefaultBeat {
			t.Errorf("they come back after %v", waited)
		}
	})
}

// What a worker could not give back, as the database crashed, comes back when the database does.
func TestLeasesOverACrash(t *testing.T) {
	empty(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	s := open(t, Options{DSN: server.DSN("postgres"), Beat: 50 * time.Millisecond})
	defer s.Close()
	mark, delivery := leaseBoth(ctx, t, s)
	// What is durable from here on takes the leases with it.
	if err := s.ResolveIntent(ctx, 0, queue.Resolution{Marks: []queue.Mark{{Key: event.Key{Resource: "users", ID: "1"}}}}, true); err != nil {
		t.Fatal(err)
	}
	server.Crash()
	if err := s.CommitReconciled(ctx, mark, queue.Reconciled{AskedAt: time.Now()}); err == nil {
		t.Error("a mark is committed without a database")
	}
	if err := s.FinishAttempt(ctx, delivery, queue.Attempt{At: time.Now()}, queue.Verdict{Status: queue.StatusDelivered}); err == nil {
		t.Error("an attempt is kept without a database")
	}
	if err := server.Again(); err != nil {
		t.Fatal(err)
	}
	leasedBoth(ctx, t, s)
}
