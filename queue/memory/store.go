// SPDX-License-Identifier: Apache-2.0

// Package memory is a queue that lives in memory only: the reference engine,
// and the one that other packages test with. It keeps every promise of
// [queue.Store] but durability, and keeps all history while it lives.
package memory

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/mark"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/wake"
)

// Store is a [queue.Store] in memory. It has no goroutines of its own, and
// waits with timers and channels only, so it runs inside a bubble of
// testing/synctest.
type Store struct {
	now      func() time.Time
	instance queue.Instance

	marks *schedule.Schedule[mark.Record]
	lanes *schedule.Schedule[lane]

	mu         sync.Mutex
	closed     bool
	lastIntent queue.IntentID
	intents    map[queue.IntentID]queue.Intent
	unresolved []queue.Unresolved
	snapshots  map[event.Key]event.Snapshot
	floors     map[string]uint64
	callbacks  map[event.Key]queue.Callback
	records    records
	sleepers   *wake.Sleepers
	// events is the log; the position of an event is its index.
	events []logged
	byID   map[string]int
}

var _ queue.Store = (*Store)(nil)

// logged is an event with its deliveries, in the order in which it was routed.
type logged struct {
	event.Event
	createdAt  time.Time
	routed     []string
	deliveries []*delivery
	// filtered are the endpoints whose filters left the event out, and formats its
	// form for them.
	filtered []string
	formats  map[string]string
}

type delivery struct {
	queue.Delivery
	attempts []queue.Attempt
	format   string
}

// New returns an empty queue that takes the time from now.
func New(now func() time.Time) *Store {
	s := &Store{
		now:       now,
		marks:     schedule.New(now, schedule.Hooks[mark.Record]{Second: (*mark.Record).Yields}),
		lanes:     schedule.New(now, schedule.Hooks[lane]{Position: (*lane).first, Reset: func(*lane) {}, Absorb: (*lane).absorb}),
		intents:   make(map[queue.IntentID]queue.Intent),
		snapshots: make(map[event.Key]event.Snapshot),
		floors:    make(map[string]uint64),
		callbacks: make(map[event.Key]queue.Callback),
		records:   newRecords(),
		sleepers:  wake.New(),
		byID:      make(map[string]int),
	}
	// crypto/rand.Read never fails.
	_, _ = rand.Read(s.instance.ID[:])
	_, _ = rand.Read(s.instance.HashKey[:])
	return s
}

// Instance implements [queue.Store].
func (s *Store) Instance() queue.Instance {
	return s.instance
}

// LeaseMaintenance implements [queue.Store]. There is no other process.
func (s *Store) LeaseMaintenance(ctx context.Context, _ string, _ time.Duration) (held bool, err error) {
	if err := s.enter(ctx); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	return true, nil
}

// Configure implements [queue.Store]. Nothing is durable, and all is kept.
func (s *Store) Configure(queue.Settings) {}

// Close implements [queue.Store].
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.marks.Close()
	s.lanes.Close()
	s.records.epochs.Close()
	s.sleepers.Close()
	return nil
}

// enter locks the store for one verb, unless the store is closed or the caller
// has left.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return queue.ErrClosed
	}
	return nil
}
