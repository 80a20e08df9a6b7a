// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"errors"
	"math"
	"runtime/debug"
	"sync"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

// There may be a million pending deliveries when a queue is opened, and reading their
// lanes into memory takes a second. Nobody waits for all of it: the queue is open
// before, and each endpoint is served as soon as its own lanes are known.
//
// Until then, nothing may change or count what is in these lanes, as memory would
// miss it: whoever leases, ends, repeats or hastens deliveries waits for the lanes
// that it concerns. The one thing that does not wait is the committer, with new
// deliveries. They stand behind all others of their lanes, as their positions are
// higher, and appear when these are known. So the reader sees the store as it was
// when it was opened, and nothing of what it reads has changed in the meantime.

// laneReading is the lanes of an open queue that are not known yet.
type laneReading struct {
	mu sync.Mutex
	// unknown holds the endpoints with lanes that are not known yet.
	unknown map[string]*unknownLanes
	// unread are those that no reader has begun with, in their order.
	unread []string

	// done is closed when the readers have ended, and failed is why they ended
	// before all was known.
	done   chan struct{}
	failed error
}

// unknownLanes are the lanes of one endpoint.
type unknownLanes struct {
	// known is closed when the lanes are known.
	known chan struct{}
	// born are new deliveries, which become leasable then.
	born []birth
}

// laneReaders is how many endpoints are read at a time: one that most deliveries are
// for does not hold up the others.
const laneReaders = 2

// findLanes finds the endpoints that have pending deliveries. Positions go on behind
// those of these deliveries even if the clock was set back and their events have
// expired: behind the newest delivery of each endpoint, as there is one in each lane.
func (s *Store) findLanes(txn *badgerdb.Txn) error {
	r := &laneReading{unknown: make(map[string]*unknownLanes), done: make(chan struct{})}
	it := txn.NewIterator(badgerdb.IteratorOptions{Prefix: []byte{kindLane}})
	defer it.Close()
	newest := txn.NewIterator(badgerdb.IteratorOptions{Prefix: []byte{kindDelivery}, Reverse: true})
	defer newest.Close()
	for it.Rewind(); it.Valid(); {
		key := record.Reader{Rest: it.Item().Key()[1:]}
		endpoint := key.Text()
		if key.Err != nil {
			s.damaged("lane", key.Err)
			it.Next()
			continue
		}
		// A version that wrote one record that is too new has written others.
		if err := it.Item().Value(func(value []byte) error {
			_, err := parseLane(value)
			return err
		}); err != nil && !errors.Is(err, errDamaged) {
			return err
		}
		r.unknown[endpoint] = &unknownLanes{known: make(chan struct{})}
		r.unread = append(r.unread, endpoint)
		newest.Seek(deliveryKey(nil, endpoint, math.MaxUint64))
		if newest.Valid() {
			if position, err := lastNumber(newest.Item().Key()); err == nil {
				s.lastPosition = max(s.lastPosition, position)
			}
		}
		it.Seek(append(endpointPrefix(nil, kindLane, endpoint), afterEndpoint...))
	}
	if len(r.unread) > 0 {
		s.lanes.reading.Store(r)
	}
	return nil
}

// afterEndpoint follows what keys have behind an endpoint: positions, or the lengths
// of names.
const afterEndpoint = "\xff\xff\xff\xff\xff\xff\xff\xff\xff"

// readLanes reads the lanes that findLanes has found. No delivery may have been committed
// since, and the database stays open until awaitReaders returns.
func (s *Store) readLanes(before func()) {
	r := s.lanes.reading.Load()
	if r == nil {
		return
	}
	txn := s.db.NewTransaction(false)
	go func() {
		defer txn.Discard()
		if before != nil {
			before()
		}
		var readers sync.WaitGroup
		for range laneReaders {
			readers.Go(func() { s.readEndpoints(r, txn) })
		}
		readers.Wait()
		if r.failed == nil {
			s.lanes.reading.Store(nil)
		}
		close(r.done)
	}()
}

// readEndpoints reads the lanes of one endpoint after another.
func (s *Store) readEndpoints(r *laneReading, txn *badgerdb.Txn) {
	for endpoint, ok := r.take(); ok; endpoint, ok = r.take() {
		if err := s.readEndpoint(txn, endpoint); err != nil {
			r.fail(err)
			if !errors.Is(err, queue.ErrClosed) {
				_ = s.ground.fail(err) // which logs it
			}
			return
		}
		r.finish(endpoint, s.lanes)
	}
}

func (s *Store) readEndpoint(txn *badgerdb.Txn, endpoint string) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer s.ground.recovered(&err)
	return s.rebuildLanes(txn, endpoint)
}

// take returns the next endpoint to read.
func (r *laneReading) take() (endpoint string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.unread) == 0 || r.failed != nil {
		return "", false
	}
	endpoint, r.unread = r.unread[0], r.unread[1:]
	return endpoint, true
}

// finish has an endpoint served whose lanes are in memory.
func (r *laneReading) finish(endpoint string, lanes *lanes) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.unknown[endpoint]
	// Before the committer can publish others of the same lanes.
	lanes.makeLeasable(known.born)
	delete(r.unknown, endpoint)
	close(known.known)
}

func (r *laneReading) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == nil {
		r.failed = err
	}
}

// hold keeps new deliveries whose lanes are not known yet, and returns the others.
func (r *laneReading) hold(born []birth) []birth {
	r.mu.Lock()
	defer r.mu.Unlock()
	others := make([]birth, 0, len(born))
	for i := range born {
		if u := r.unknown[born[i].endpoint]; u != nil {
			u.born = append(u.born, born[i])
		} else {
			others = append(others, born[i])
		}
	}
	return others
}

// of returns a channel that is closed when the lanes of an endpoint are known; nil if
// they are.
func (r *laneReading) of(endpoint string) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if u := r.unknown[endpoint]; u != nil {
		return u.known
	}
	return nil
}

// awaitLanes waits until the lanes of an endpoint are known, or of all if it is "".
func (s *Store) awaitLanes(ctx context.Context, endpoint string) error {
	r := s.lanes.reading.Load()
	if r == nil {
		return nil
	}
	known := (<-chan struct{})(r.done)
	if endpoint != "" {
		if known = r.of(endpoint); known == nil {
			return nil
		}
	}
	select {
	case <-known:
		// If all are awaited, reading may have failed.
		if endpoint != "" {
			return nil
		}
	case <-r.done:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return queue.ErrClosed
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// awaitReaders waits until nobody reads lanes any more. The queue is closing.
func (s *Store) awaitReaders() {
	if r := s.lanes.reading.Load(); r != nil {
		<-r.done
	}
}

// statsPatience is how long Stats waits for counts that are not known yet.
const statsPatience = time.Second

// countable reports whether the lanes are known, and waits a moment for them.
func (s *Store) countable(ctx context.Context) (bool, error) {
	patient, cancel := context.WithTimeout(ctx, statsPatience)
	defer cancel()
	err := s.awaitLanes(patient, "")
	if err != nil && patient.Err() != nil && ctx.Err() == nil && !errors.Is(err, queue.ErrClosed) {
		return false, nil
	}
	return err == nil, err
}
