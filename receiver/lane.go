// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"
	"slices"
	"sync"
)

// lanes are the objects of which events are under way in this process. They need no
// cleaning up: a lane is gone with its last event.
type lanes struct {
	mu   sync.Mutex
	open map[string]*lane
	held int // in all lanes
}

// lane lets the events of one object pass one at a time, and knows those that wait for
// earlier ones.
type lane struct {
	name  string
	users int // under lanes.mu

	// free has one token; who has it may use what follows.
	free chan struct{}
	// waiting are the numbers of the events that wait for others.
	waiting []uint64
	// given is the number until which nothing more is waited for.
	given uint64
	// failures counts the events that could not be handled, and come again.
	failures int
	// moved is closed when those that wait should look again.
	moved chan struct{}
}

// enter returns the lane of an object, for one event.
func (l *lanes) enter(name string) *lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		l.open = make(map[string]*lane)
	}
	entered := l.open[name]
	if entered == nil {
		entered = &lane{name: name, free: make(chan struct{}, 1), moved: make(chan struct{})}
		entered.free <- struct{}{}
		l.open[name] = entered
	}
	entered.users++
	return entered
}

// leave is called by each event when it is done.
func (l *lanes) leave(left *lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if left.users--; left.users == 0 {
		delete(l.open, left.name)
	}
}

// reserve reports whether one more event may wait, in all lanes.
func (l *lanes) reserve(limit int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held >= limit {
		return false
	}
	l.held++
	return true
}

func (l *lanes) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held--
}

// lock waits until no other event of the object is looked at or handled.
func (l *lane) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-l.free:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *lane) unlock() { l.free <- struct{}{} }

// wake has all that wait look again. The lane must be locked.
func (l *lane) wake() {
	close(l.moved)
	l.moved = make(chan struct{})
}

// first reports whether nothing with a lower number waits. The lane must be locked.
func (l *lane) first(sequence uint64) bool {
	return len(l.waiting) == 0 || slices.Min(l.waiting) >= sequence
}

// fail is called for an event that could not be handled. It comes again, and those after it
// give it time for that. The lane must be locked.
func (l *lane) fail() {
	l.given = 0
	l.failures++
}

// stop removes an event from those that wait. The lane must be locked.
func (l *lane) stop(sequence uint64) {
	if at := slices.Index(l.waiting, sequence); at >= 0 {
		l.waiting = slices.Delete(l.waiting, at, at+1)
	}
	if len(l.waiting) == 0 {
		l.given = 0
	}
}
