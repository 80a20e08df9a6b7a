// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"
)

const (
	// slow is how long the database may take for intents until it counts as away.
	slow = time.Second
	// probeEvery is how often a database that is away is asked whether it is back, and
	// probeTimeout how long it may take to say so.
	probeEvery, probeTimeout = 250 * time.Millisecond, 2 * time.Second
	// maxUnsaid limits the resolutions that are kept for a database that is away, whose
	// callers do not wait for them. The intents of others are stale by their deadlines.
	maxUnsaid = 1 << 16
)

// outage is what this node knows of a database that is away, and keeps for it.
type outage struct {
	mu sync.Mutex
	// away is true from the first failure until the database answers again.
	away bool
	// flying has the transactions with intents that are on their way, and since when.
	flying map[*flight]struct{}
	unsaid []*resolving
	// failed wakes who asks whether it is back.
	failed chan struct{}
}

// flight is a transaction on its way.
type flight struct{ since time.Time }

func newOutage() *outage {
	return &outage{flying: make(map[*flight]struct{}), failed: make(chan struct{}, 1)}
}

// begin notes that a transaction is on its way, until landed is called with its outcome.
func (o *outage) begin() (landed func(err error)) {
	f := &flight{since: time.Now()}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flying[f] = struct{}{}
	return func(err error) {
		o.mu.Lock()
		delete(o.flying, f)
		o.mu.Unlock()
		if unanswered(err) {
			o.fail()
		}
	}
}

// unanswered reports whether the database has not answered to what ended with an error. A
// database that shuts down, starts, or has no connection left has not either. All other
// errors come again whenever it is asked.
func unanswered(err error) bool {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		switch refused.Code[:2] {
		case "08", "53", "57", "58":
			return true
		}
		return false
	}
	var connecting *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connecting) || errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, context.DeadlineExceeded)
}

// fail notes that the database is away.
func (o *outage) fail() {
	o.mu.Lock()
	o.away = true
	o.mu.Unlock()
	select {
	case o.failed <- struct{}{}:
	default:
	}
}

// keep keeps a resolution until the database is back, unless there is no room. The database may
// be back already, so it is asked once more.
func (o *outage) keep(r *resolving) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.unsaid) >= maxUnsaid {
		return false
	}
	o.unsaid = append(o.unsaid, r)
	select {
	case o.failed <- struct{}{}:
	default:
	}
	return true
}

// end notes that the database is back, and returns what was kept for it.
func (o *outage) end() []*resolving {
	o.mu.Lock()
	defer o.mu.Unlock()
	unsaid := o.unsaid
	o.away, o.unsaid = false, nil
	return unsaid
}

// stalled returns for how long the oldest transaction is on its way.
func (o *outage) stalled() (longest time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for f := range o.flying {
		longest = max(longest, time.Since(f.since))
	}
	return longest
}

// Away implements [queue.Remote].
func (s *Store) Away() bool {
	s.outage.mu.Lock()
	away := s.outage.away
	s.outage.mu.Unlock()
	return away || s.outage.stalled() > slow
}

// Stalled implements [queue.Staller].
func (s *Store) Stalled() time.Duration { return s.outage.stalled() }

// probe asks a database that is away whether it is back, until the store is closed. What was
// kept for it goes before it counts as back.
func (s *Store) probe() {
	for {
		select {
		case <-s.closed:
			return
		case <-s.outage.failed:
		}
		began := time.Now()
		s.logger.Warn("the queue's database is away")
		for !s.answers() {
			select {
			case <-s.closed:
				return
			case <-time.After(probeEvery):
			}
		}
		for _, r := range s.outage.end() {
			if s.resolves.give(context.Background(), r) != nil {
				return
			}
		}
		s.logger.Info("the queue's database is back", zap.Duration("after", time.Since(began)))
	}
}

// answers reports whether the database answers, and takes writes.
func (s *Store) answers() bool {
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	var standby bool
	err := s.pool.QueryRow(ctx, "select pg_is_in_recovery()").Scan(&standby)
	return err == nil && !standby
}
