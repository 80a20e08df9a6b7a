// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// group is what a worker waits for something of: a resource's marks, or an endpoint's
// deliveries.
type group struct {
	deliveries bool
	name       string
}

func marksOf(resource string) group      { return group{name: resource} }
func deliveriesOf(endpoint string) group { return group{deliveries: true, name: endpoint} }

// waiting is where this node's workers wait. Of a group, one at a time asks the database, and
// the others stand behind it: so a thousand idle workers ask no more than one.
type waiting struct {
	mu    sync.Mutex
	rooms map[group]*room
}

// room is where the workers of a group wait.
type room struct {
	// turn is held by the worker who asks.
	turn chan struct{}
	// rung is filled when there may be something.
	rung    chan struct{}
	workers int
}

func newWaiting() *waiting { return &waiting{rooms: make(map[group]*room)} }

func (w *waiting) join(of group) *room {
	w.mu.Lock()
	defer w.mu.Unlock()
	in := w.rooms[of]
	if in == nil {
		in = &room{turn: make(chan struct{}, 1), rung: make(chan struct{}, 1)}
		w.rooms[of] = in
	}
	in.workers++
	return in
}

func (w *waiting) leave(of group, in *room) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if in.workers--; in.workers == 0 {
		delete(w.rooms, of)
	}
}

// ring tells a group that there may be something.
func (w *waiting) ring(of group) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if in := w.rooms[of]; in != nil {
		select {
		case in.rung <- struct{}{}:
		default:
		}
	}
}

// names returns those of whom workers wait.
func (w *waiting) names(deliveries bool) (names [][]byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for of := range w.rooms {
		if of.deliveries == deliveries {
			names = append(names, []byte(of.name))
		}
	}
	return names
}

// leaseTimeout limits how long the database may take for a lease. A worker that leaves does
// not cut it off, as then nobody would know whether something is leased.
const leaseTimeout = 10 * time.Second

// await tries to lease until it succeeds: when it is rung, and when try says that something
// will be due.
func (s *Store) await(ctx context.Context, of group, try func(ctx context.Context) (found bool, next int64, err error)) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	in := s.waiting.join(of)
	defer s.waiting.leave(of, in)
	select {
	case in.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closed:
		return queue.ErrClosed
	}
	defer func() { <-in.turn }()
	for {
		select {
		case <-in.rung:
		default:
		}
		trying, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTimeout)
		found, next, err := try(trying)
		cancel()
		if found || err != nil {
			return err
		}
		if err := s.sleep(ctx, in, next); err != nil {
			return err
		}
	}
}

// sleep waits until a room is rung, or something in it is due.
func (s *Store) sleep(ctx context.Context, in *room, next int64) error {
	var due <-chan time.Time
	if next != never {
		timer := time.NewTimer(moment(next).Sub(s.clock.now()))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-in.rung:
		return nil
	case <-due:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closed:
		return queue.ErrClosed
	}
}

// look asks, for all who wait on this node, whether other nodes have made something for
// them, until the store is closed.
func (s *Store) look() {
	ticker := time.NewTicker(s.options.Poll)
	defer ticker.Stop()
	for {
		select {
		case <-s.closed:
			return
		case <-ticker.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), leaseTimeout)
		if err := s.lookOnce(ctx); err != nil {
			s.logger.Debug("asking what other nodes have made", zap.Error(err))
		}
		cancel()
	}
}

func (s *Store) lookOnce(ctx context.Context) error {
	now := s.now()
	var name []byte
	var version, latest int64
	marks, deliveries := s.waiting.names(false), s.waiting.names(true)
	b := &batch{}
	if len(marks) > 0 {
		b.each([]any{&name}, func() error {
			s.waiting.ring(marksOf(string(name)))
			return nil
		}, `select r from unnest($1::bytea[]) r where exists (select from webhooks.mark where resource = r and rank = 0 and wake <= $2)
			or exists (select from webhooks.mark where resource = r and rank = 1 and wake <= $2)`, marks, now)
	}
	if len(deliveries) > 0 {
		b.each([]any{&name}, func() error {
			s.waiting.ring(deliveriesOf(string(name)))
			return nil
		}, `select e from unnest($1::bytea[]) e where exists (select from webhooks.lane where endpoint = e and wake <= $2)
			or exists (select from webhooks.endpoint where name = e and ordering <> next)`, deliveries, now)
	}
	b.each([]any{&name, &version}, func() error {
		s.epochs.Raise(string(name), uint64(version), nil)
		return nil
	}, "select kind, version from webhooks.epoch")
	if s.sleepers.Any() {
		found := false
		b.one(&found, []any{&latest}, "select "+latestPosition)
	}
	if err := s.pool.SendBatch(ctx, &b.Batch).Close(); err != nil {
		return err
	}
	if latest > s.seen.Swap(latest) {
		s.sleepers.WakeAll()
	}
	return nil
}
