// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// unreadQueue opens a queue that has pending deliveries, and whose lanes nobody reads
// before begin is called.
func unreadQueue(t *testing.T, fill func(s *Store)) (s *Store, begin func()) {
	t.Helper()
	dir := t.TempDir()
	s = mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	fill(s)
	must(t, s.Close())
	return heldOpen(t, Options{Dir: dir, FreeSpace: noReserve})
}

// heldOpen opens a queue as Open does, but reads no lanes before begin is called.
func heldOpen(t *testing.T, options Options) (s *Store, begin func()) {
	t.Helper()
	held := make(chan struct{})
	options.readLanes = func() { <-held }
	s, err := Open(options)
	must(t, err)
	begun := false
	begin = func() {
		if !begun {
			begun = true
			close(held)
		}
	}
	t.Cleanup(func() {
		begin()
		must(t, s.Close())
	})
	return s, begin
}

// waits checks that something is not done before the lanes are known.
func waits(t *testing.T, what string, do func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if err := do(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%s before the lanes are known: %v", what, err)
	}
}

func TestLanesAreReadBesideWork(t *testing.T) {
	s, begin := unreadQueue(t, func(s *Store) {
		for i := range 3 {
			publish(t, s, fmt.Sprint(i), "erp")
		}
		publish(t, s, "0", "erp", "crm")
		finish(t, s, "crm", queue.Verdict{Status: queue.StatusDead})
	})
	// One of three lanes has been read, and it is not the first in the order of events.
	s.lanes.due.Put("erp", objectName(item("2")), 0, lane{attempts: finished, pending: 1})
	for what, do := range map[string]func(ctx context.Context) error{
		"leasing": func(ctx context.Context) error {
			_, err := s.LeaseDelivery(ctx, "erp", queue.LeaseOptions{For: time.Hour})
			return err
		},
		"cancelling": func(ctx context.Context) error {
			_, _, err := s.Cancel(ctx, queue.Selection{Endpoint: "erp"}, queue.Page{})
			return err
		},
		"expiring all": func(ctx context.Context) error {
			_, _, err := s.Expire(ctx, queue.Selection{}, queue.Page{})
			return err
		},
		"sending again": func(ctx context.Context) error {
			_, _, err := s.Redeliver(ctx, queue.Selection{}, queue.Page{})
			return err
		},
		"replaying": func(ctx context.Context) error {
			_, _, err := s.Replay(ctx, "erp", queue.Selection{}, queue.Page{})
			return err
		},
		"hastening": func(ctx context.Context) error {
			_, err := s.HastenDeliveries(ctx, "erp", queue.Hasten{})
			return err
		},
		"counting": func(ctx context.Context) error {
			_, err := s.Stats(ctx)
			return err
		},
	} {
		waits(t, what, do)
	}
	if stats, err := s.Stats(t.Context()); err != nil || stats.PendingDeliveries != nil || stats.Lanes != nil {
		t.Errorf("counts that are not known: %+v, %v", stats, err)
	}

	// An endpoint that nothing was pending for does not wait, and changes go on.
	must(t, s.SetOrder(t.Context(), "erp", queue.OrderEndpoint))
	publish(t, s, "0", "erp", "crm", "new")
	publish(t, s, "9", "erp")
	for _, endpoint := range []string{"crm", "new"} {
		if held := leaseDelivery(t, s, endpoint); held.EventID != "items/0-3" {
			t.Errorf("%s: leased %s", endpoint, held.EventID)
		}
	}

	begin()
	// In the order of events, old and new.
	for _, want := range []string{"items/0-1", "items/1-1", "items/2-1", "items/0-2", "items/0-3", "items/9-1"} {
		if held := finish(t, s, "erp", queue.Verdict{Status: queue.StatusDelivered}); held.EventID != want {
			t.Errorf("leased %s, want %s", held.EventID, want)
		}
	}
	stats, err := s.Stats(t.Context())
	if want := map[string]int{"crm": 1, "new": 1}; err != nil || !maps.Equal(stats.PendingDeliveries, want) {
		t.Errorf("got %+v, %v; want %v", stats, err, want)
	}
	if s.lanes.reading.Load() != nil {
		t.Error("something still counts as not known")
	}
}

// New deliveries of a lane that is not known stay behind the others, whatever the
// order of the endpoint is.
func TestLaneKeepsItsOrderWhileItIsRead(t *testing.T) {
	for _, order := range []queue.Order{queue.OrderObject, queue.OrderEndpoint} {
		s, begin := unreadQueue(t, func(s *Store) {
			publish(t, s, "1", "erp")
			finish(t, s, "erp", queue.Verdict{Status: queue.StatusPending, RetryAt: time.Now().Add(-time.Second)})
			publish(t, s, "1", "erp")
		})
		must(t, s.SetOrder(t.Context(), "erp", order))
		publish(t, s, "1", "erp")
		publish(t, s, "1", "erp")
		begin()
		for n := range 4 {
			held := finish(t, s, "erp", queue.Verdict{Status: queue.StatusDelivered})
			if want := fmt.Sprintf("items/1-%d", n+1); held.EventID != want {
				t.Errorf("%s: leased %s, want %s", order, held.EventID, want)
			}
			if tried := held.Attempts; n == 0 && tried != 1 {
				t.Errorf("%s: after %d attempts", order, tried)
			}
		}
		if n := leasable(s, "erp"); n != 0 {
			t.Errorf("%s: %d lanes are left", order, n)
		}
	}
}

// One endpoint is served while the lanes of another are not known yet.
func TestEndpointIsServedBeforeOthersAreRead(t *testing.T) {
	s, begin := unreadQueue(t, func(s *Store) { publish(t, s, "1", "a", "b") })
	r := s.lanes.reading.Load()
	txn := s.db.NewTransaction(false)
	defer txn.Discard()
	must(t, s.rebuildLanes(txn, "b"))
	r.finish("b", s.lanes)
	r.mu.Lock()
	r.unread = r.unread[:1]
	r.mu.Unlock()
	if held := leaseDelivery(t, s, "b"); held.EventID != "items/1-1" {
		t.Errorf("leased %s", held.EventID)
	}
	waits(t, "leasing for another endpoint", func(ctx context.Context) error {
		_, err := s.LeaseDelivery(ctx, "a", queue.LeaseOptions{For: time.Hour})
		return err
	})
	begin()
	leaseDelivery(t, s, "a")
}

// Closing does not wait for lanes, and nobody waits for them after it.
func TestClosingWhileLanesAreRead(t *testing.T) {
	s, begin := unreadQueue(t, func(s *Store) { publish(t, s, "1", "erp") })
	leased := make(chan error, 1)
	go func() {
		_, err := s.LeaseDelivery(context.Background(), "erp", queue.LeaseOptions{For: time.Hour})
		leased <- err
	}()
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	if err := <-leased; !errors.Is(err, queue.ErrClosed) {
		t.Errorf("got %v", err)
	}
	begin()
	must(t, <-closed)
}

// A lane that cannot be read closes the queue: its endpoint is not served as if
// nothing were pending.
func TestLanesThatCannotBeRead(t *testing.T) {
	s, begin := unreadQueue(t, func(s *Store) {
		publish(t, s, "1", "erp")
		must(t, s.db.Update(func(txn *badgerdb.Txn) error {
			return txn.Set(laneKey(nil, "erp", objectName(item("2")), 1), []byte{200})
		}))
	})
	begin()
	_, err := s.LeaseDelivery(t.Context(), "erp", queue.LeaseOptions{For: time.Hour})
	if !errors.Is(err, queue.ErrNewerFormat) {
		t.Errorf("leasing: %v", err)
	}
	if _, err := s.Stats(t.Context()); !errors.Is(err, queue.ErrNewerFormat) {
		t.Errorf("counting: %v", err)
	}
	if err := s.Check(); !errors.Is(err, queue.ErrNewerFormat) || !errors.Is(err, queue.ErrDisk) {
		t.Errorf("Check: %v", err)
	}
}

// The first record of a newer version keeps the queue from being opened.
func TestNewerLaneIsNotOpened(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	must(t, s.db.Update(func(txn *badgerdb.Txn) error {
		return txn.Set(laneKey(nil, "erp", objectName(item("2")), 1), []byte{200})
	}))
	must(t, s.Close())
	if _, err := Open(Options{Dir: dir, FreeSpace: noReserve}); !errors.Is(err, queue.ErrNewerFormat) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, badgerdb.ManifestFilename)); err != nil {
		t.Error(err)
	}
}

// Positions go on behind those of pending deliveries whose events are gone, also if
// the clock was set back: another event must not take their place.
func TestPositionsGoOnBehindLanes(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	publish(t, s, "1", "erp")
	last := s.lastPosition
	must(t, s.db.Update(func(txn *badgerdb.Txn) error { return txn.Delete(numberKey(nil, kindEvent, last)) }))
	must(t, s.Close())
	before := func() time.Time { return time.Now().Add(-time.Hour) }
	s = mustOpen(t, Options{Dir: dir, FreeSpace: noReserve, Now: before})
	if s.lastPosition < last {
		t.Errorf("positions go on at %d, and %d is pending", s.lastPosition, last)
	}
}
