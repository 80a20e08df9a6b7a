// SPDX-License-Identifier: Apache-2.0

// Package store keeps the queue in PostgreSQL, for one Caddy or for several at once.
//
// What is hot (intents, marks, lanes, pending deliveries) is in small tables, and history in
// days that are dropped as a whole. Each verb is one transaction of one or two messages. Three
// locks hold the nodes apart where rows are not enough, see [logLock].
package store

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/epoch"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/wake"
)

// Store is a [queue.Store] in a database.
type Store struct {
	options  Options
	pool     *pgxpool.Pool
	clock    clock
	logger   *zap.Logger
	settings atomic.Pointer[queue.Settings]
	instance queue.Instance

	// self is this process among the nodes.
	self  atomic.Pointer[membership]
	beats *beats

	notes    *gathering[*noting]
	resolves *gathering[*resolving]
	// writing has the intents that are on their way, by number.
	writing sync.Map
	waiting *waiting
	outage  *outage
	// deliveries and marks are what this node has leased.
	deliveries held[holding]
	marks      held[[]byte]
	doubts     doubts
	epochs     *epoch.Epochs
	sleepers   *wake.Sleepers
	// seen is the position up to which readers of feeds were woken.
	seen atomic.Int64

	closed chan struct{}
	close  sync.Once
	// daysKept is when this node last looked after the days.
	daysKept time.Time

	// workers are the goroutines that Close waits for.
	workers sync.WaitGroup
}

// Interface guards
var (
	_ queue.Store   = (*Store)(nil)
	_ queue.Remote  = (*Store)(nil)
	_ queue.Staller = (*Store)(nil)
)

// Instance implements [queue.Store].
func (s *Store) Instance() queue.Instance { return s.instance }

// Configure implements [queue.Store]. History is removed in whole days: what is older than a
// shorter retention goes with the next round.
func (s *Store) Configure(settings queue.Settings) {
	settings = settings.WithDefaults()
	s.settings.Store(&settings)
}

// enter reports why a verb cannot begin.
func (s *Store) enter(ctx context.Context) error {
	select {
	case <-s.closed:
		return queue.ErrClosed
	default:
		return ctx.Err()
	}
}

// closeTimeout limits what Close still asks of the database.
const closeTimeout = 5 * time.Second

// Close implements [queue.Store]. Leases are given back, so that other nodes need not wait for
// their time to pass, and what this node has noted is another one's from now on.
func (s *Store) Close() error {
	s.end(s.leave)
	return nil
}

// end stops everything, and says farewell to the database.
func (s *Store) end(farewell func(ctx context.Context)) {
	s.close.Do(func() {
		close(s.closed)
		s.epochs.Close()
		s.sleepers.Close()
		s.notes.end()
		s.resolves.end()
		s.workers.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		farewell(ctx)
		s.pool.Close()
	})
}

// run runs a goroutine until it returns; Close waits for it.
func (s *Store) run(work func()) { s.workers.Go(work) }
