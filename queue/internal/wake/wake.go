// SPDX-License-Identifier: Apache-2.0

// Package wake wakes those who wait for events of a feed.
package wake

import (
	"context"
	"sync"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Sleepers are those who wait, by what they wait for: with many readers, an event wakes
// its own and no others.
type Sleepers struct {
	mu     sync.Mutex
	closed bool
	of     map[queue.Scope]*room
}

// room is where the readers of one feed wait.
type room struct {
	woken   chan struct{}
	waiting int
}

// New returns Sleepers without any.
func New() *Sleepers {
	return &Sleepers{of: make(map[queue.Scope]*room)}
}

// Join returns a channel that is closed by the next Wake of a scope, and a function to
// call when nobody waits for that any more. It fails with [queue.ErrClosed] once all was
// closed.
func (s *Sleepers) Join(of queue.Scope) (woken <-chan struct{}, leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, queue.ErrClosed
	}
	in := s.of[of]
	if in == nil {
		in = &room{woken: make(chan struct{})}
		s.of[of] = in
	}
	in.waiting++
	return in.woken, func() { s.leave(of, in) }, nil
}

func (s *Sleepers) leave(of queue.Scope, in *room) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.waiting--; in.waiting == 0 && s.of[of] == in {
		delete(s.of, of)
	}
}

// Await waits until there is something in a feed, which has finds out: now, and after each
// [Sleepers.Wake]. It joins before it looks, so that nothing comes in between.
func (s *Sleepers) Await(ctx context.Context, of queue.Scope, has func() (bool, error)) error {
	for {
		woken, leave, err := s.Join(of)
		if err != nil {
			return err
		}
		found, err := has()
		if err != nil || found {
			leave()
			return err
		}
		select {
		case <-woken:
			leave()
		case <-ctx.Done():
			leave()
			return ctx.Err()
		}
	}
}

// Any reports whether anybody waits.
func (s *Sleepers) Any() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.of) > 0
}

// Wake wakes those who wait for one of some scopes.
func (s *Sleepers) Wake(scopes []queue.Scope) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, of := range scopes {
		if in := s.of[of]; in != nil {
			close(in.woken)
			delete(s.of, of)
		}
	}
}

// WakeAll wakes all: somebody else may have made something for any of them.
func (s *Sleepers) WakeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for of, in := range s.of {
		close(in.woken)
		delete(s.of, of)
	}
}

// Close wakes all, for good.
func (s *Sleepers) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for of, in := range s.of {
		close(in.woken)
		delete(s.of, of)
	}
}
