// SPDX-License-Identifier: Apache-2.0

// Package epoch keeps the epochs of kinds of records in memory, and what was changed last,
// and wakes those who wait for an epoch to move.
package epoch

import (
	"context"
	"sync"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Epochs holds the epoch of each kind.
type Epochs struct {
	mu     sync.Mutex
	of     map[string]uint64
	last   map[string]*changes
	closed bool
	// moved has a channel for each kind that somebody waits for. It is closed when
	// the kind's epoch moves.
	moved map[string]chan struct{}
}

// New returns epochs that are all 0.
func New() *Epochs {
	return &Epochs{of: make(map[string]uint64), last: make(map[string]*changes), moved: make(map[string]chan struct{})}
}

// Get returns the epoch of a kind.
func (e *Epochs) Get(kind string) uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.of[kind]
}

// Last returns the highest epoch.
func (e *Epochs) Last() (last uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, epoch := range e.of {
		last = max(last, epoch)
	}
	return last
}

// Changed returns the ids of the records of a kind that were changed after an epoch, each
// once, and false if that is not known.
func (e *Epochs) Changed(kind string, after uint64) (ids []string, known bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if last, ok := e.last[kind]; ok {
		return last.after(after)
	}
	return nil, true
}

// Begin sets the epoch that a kind begins with. What was changed until then is not known.
func (e *Epochs) Begin(kind string, at uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.of[kind], e.last[kind] = at, &changes{since: at}
}

// Raise moves the epoch of a kind, as some records were changed. It never goes back.
func (e *Epochs) Raise(kind string, to uint64, ids []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if to <= e.of[kind] {
		return
	}
	if e.last[kind] == nil {
		e.last[kind] = new(changes)
	}
	e.last[kind].add(to, ids)
	e.of[kind] = to
	if moved, ok := e.moved[kind]; ok {
		close(moved)
		delete(e.moved, kind)
	}
}

// Await waits until the epoch of a kind is above after, and returns it. It fails
// with [queue.ErrClosed] once the epochs are closed.
func (e *Epochs) Await(ctx context.Context, kind string, after uint64) (uint64, error) {
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		epoch, moved, err := e.look(kind, after)
		if err != nil || moved == nil {
			return epoch, err
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// look returns an epoch that is above after, or a channel to wait on.
func (e *Epochs) look(kind string, after uint64) (epoch uint64, moved <-chan struct{}, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch epoch := e.of[kind]; {
	case e.closed:
		return 0, nil, queue.ErrClosed
	case epoch > after:
		return epoch, nil, nil
	}
	if _, ok := e.moved[kind]; !ok {
		e.moved[kind] = make(chan struct{})
	}
	return 0, e.moved[kind], nil
}

// Close ends all waiting.
func (e *Epochs) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	for kind, moved := range e.moved {
		close(moved)
		delete(e.moved, kind)
	}
}
