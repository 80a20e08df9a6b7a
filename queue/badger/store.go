// SPDX-License-Identifier: Apache-2.0

// Package badger is the queue's default engine: a Badger database in a
// directory of its own.
//
// One goroutine, the committer, writes. It gathers the writes of all callers
// into one transaction and one sync. Memory also has what is open, marked,
// pending and leased; it changes only after its transaction has been committed,
// and is rebuilt from the stored rows when the queue is opened; pending deliveries
// after it, by endpoint.
package badger

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/epoch"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/wake"
)

// Store is a [queue.Store] in a directory.
type Store struct {
	db       *badgerdb.DB
	now      func() time.Time
	log      *zap.Logger
	instance queue.Instance

	// ground is what the database stands on.
	ground *ground
	// space knows the free space of the disk. inspection is the result of
	// inspecting the files before they were opened.
	space      *spaceWatch
	inspection *Inspection
	// inspector inspects the files while they are open.
	inspector *inspector

	durability atomic.Int32
	retention  atomic.Int64
	// damage counts records that could not be used.
	damage atomic.Uint64

	// callbacks is false as long as no object has a callback, so that most
	// queues never look for one.
	callbacks atomic.Bool

	intents *openIntents
	marks   *marks
	lanes   *lanes
	floors  floors
	epochs  *epoch.Epochs

	recent *recentEvents

	// events is where the log of events begins and ends, and sleepers wait for more.
	events   eventLog
	sleepers *wake.Sleepers
	// adopted is closed when nobody reads events of an earlier version any more.
	adopted chan struct{}

	committer *committer
	// firstIntent is the highest number of an intent of an earlier process,
	// lastIntent the highest that this one has given out.
	firstIntent queue.IntentID
	lastIntent  atomic.Uint64
	// lastPosition is the highest position given out. It belongs to the
	// committer.
	lastPosition uint64
	// versions belong to the committer, too.
	versions versions

	// trimmed is the position of the last event that Trim has looked at.
	trimmed atomic.Uint64

	// idle holds channels for waiters; see done.
	idle sync.Pool

	owned ownership
	// private keeps the files for this user alone.
	private *privacy

	// gate is held shared by every use of the database, and exclusively by
	// Close.
	gate    sync.RWMutex
	closing chan struct{}
	once    sync.Once
	closed  error
}

// Interface guards
var (
	_ queue.Store     = (*Store)(nil)
	_ queue.Spacer    = (*Store)(nil)
	_ queue.Checker   = (*Store)(nil)
	_ queue.Trimmer   = (*Store)(nil)
	_ queue.Backuper  = (*Store)(nil)
	_ queue.Staller   = (*Store)(nil)
	_ queue.Recoverer = (*Store)(nil)
)

// Instance implements [queue.Store].
func (s *Store) Instance() queue.Instance {
	return s.instance
}

// Stalled implements [queue.Staller].
func (s *Store) Stalled() time.Duration {
	return s.committer.stalled()
}

// LeaseMaintenance implements [queue.Store]. There is no other process.
func (s *Store) LeaseMaintenance(ctx context.Context, _ string, _ time.Duration) (held bool, err error) {
	if err := s.enter(ctx); err != nil {
		return false, err
	}
	defer s.leave()
	return true, nil
}

// Configure implements [queue.Store]. The room of events older than a shorter
// retention is freed when the retention they were stored with has passed.
func (s *Store) Configure(settings queue.Settings) {
	settings = settings.WithDefaults()
	s.durability.Store(int32(settings.Durability))
	s.retention.Store(int64(settings.Retention))
}

// Close implements [queue.Store].
func (s *Store) Close() error {
	s.once.Do(func() {
		close(s.closing)
		s.marks.due.Close()
		s.lanes.due.Close()
		s.epochs.Close()
		s.sleepers.Close()
		// From here on nobody submits or reads any more.
		s.gate.Lock()
		defer s.gate.Unlock()
		s.inspector.stop()
		s.awaitReaders()
		s.committer.stop()
		<-s.adopted
		s.closed = s.ground.close(s.db)
		if s.closed == nil {
			s.inspector.leave()
		}
		s.closed = errors.Join(s.closed, s.committer.logs.close(), s.committer.numbers.close(), s.owned.release())
		if s.closed != nil {
			s.closed = fmt.Errorf("closing the queue: %w", s.closed)
		}
	})
	return s.closed
}

// enter begins a use of the database; leave ends it.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	// Only Close holds the gate exclusively. Others must not wait for what it
	// waits for, such as a disk that hangs.
	if !s.gate.TryRLock() {
		return queue.ErrClosed
	}
	if s.isClosing() {
		s.gate.RUnlock()
		return queue.ErrClosed
	}
	return nil
}

func (s *Store) leave() {
	s.gate.RUnlock()
}

func (s *Store) isClosing() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// view reads the database.
func (s *Store) view(ctx context.Context, read func(txn *badgerdb.Txn) error) (err error) {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer s.ground.recovered(&err)
	return s.db.View(read)
}

// expiry returns the expiry of history written now, in Badger's unit.
func (s *Store) expiry() uint64 {
	return uint64(max(0, s.now().Add(time.Duration(s.retention.Load())).Unix()))
}

// kept reports whether something made at a time is still within its retention.
func (s *Store) kept(made time.Time) bool {
	return s.now().Before(made.Add(time.Duration(s.retention.Load())))
}
