// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/testflags"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// testTimeout is how long a test waits for what must come, on the slowest of machines.
const testTimeout = 2 * time.Minute

func TestMain(m *testing.M) {
	testflags.Checks(30)
	goleak.VerifyTestMain(m)
}

func mustOpen(t *testing.T, options Options) *Store {
	t.Helper()
	if options.Dir == "" {
		options.Dir = t.TempDir()
	}
	s, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func item(id string) event.Key {
	return event.Key{Resource: "items", ID: id}
}

func markItem(t *testing.T, s *Store, ids ...string) {
	t.Helper()
	for _, id := range ids {
		must(t, s.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: []queue.Mark{{Key: item(id)}}}, true))
	}
}

// leaseMark leases a mark that must be due.
func leaseMark(t *testing.T, s *Store) queue.MarkLease {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	held, err := s.LeaseMark(ctx, "items", time.Hour)
	must(t, err)
	return held
}

// leaseDelivery leases a delivery that must be due.
func leaseDelivery(t *testing.T, s *Store, endpoint string) queue.DeliveryLease {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	held, err := s.LeaseDelivery(ctx, endpoint, queue.LeaseOptions{For: time.Hour})
	must(t, err)
	return held
}

// found returns a reconciliation that found one more event.
func found(held queue.MarkLease, endpoints ...string) queue.Reconciled {
	sequence := uint64(1)
	if held.Snapshot != nil {
		sequence = held.Snapshot.Sequence + 1
	}
	return queue.Reconciled{
		AskedAt:  time.Now(),
		Snapshot: &event.Snapshot{Key: held.Key, Sequence: sequence},
		Events: []queue.Routed{{
			Event: event.Event{
				ID:       fmt.Sprintf("%s-%d", held.Key, sequence),
				Type:     "items.updated",
				Key:      held.Key,
				Sequence: sequence,
				Payload:  []byte("{}"),
			},
			Endpoints: endpoints,
		}},
	}
}

func publish(t *testing.T, s *Store, id string, endpoints ...string) {
	t.Helper()
	markItem(t, s, id)
	held := leaseMark(t, s)
	reconciled := found(held, endpoints...)
	reconciled.Epoch = s.epochs.Get(queue.KindEndpoint)
	must(t, s.CommitReconciled(t.Context(), held, reconciled))
}

func finish(t *testing.T, s *Store, endpoint string, verdict queue.Verdict) queue.DeliveryLease {
	t.Helper()
	held := leaseDelivery(t, s, endpoint)
	must(t, s.FinishAttempt(t.Context(), held, queue.Attempt{Code: 200}, verdict))
	return held
}

func leasable(s *Store, endpoint string) int {
	_ = s.awaitLanes(context.Background(), "")
	lanes := 0
	s.lanes.due.Groups(func(name string, n int) {
		if name == endpoint {
			lanes = n
		}
	})
	return lanes
}
