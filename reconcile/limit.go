// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Limit caps how many Shows are read from an API at once. The bound follows what the
// API's own clients have under way: so many it serves at once. It does not fall below
// [MinShows], nor rise above a maximum. An API that becomes slower is asked for fewer, and one
// in trouble for one at a time after a failure, and one more after each success. Looks,
// and marks that only clients ask for, get at most half of MinShows, and no place that
// another mark waits for: what nobody confirmed must not hold up a change that passed. The
// zero Limit allows nothing; use [NewLimit].
type Limit struct {
	mu      sync.Mutex
	full    int
	clients *Clients
	// allowed is the bound by the API's state.
	allowed int
	pace    pace
	used    int
	// looks is how many of the used places belong to looks.
	looks int
	// marks and turns are the waiting: marks for any place, turns for a look's
	// place. Neither waits while such a place is free.
	marks, turns []chan struct{}
}

// MinShows is how many Shows are read at once from an API whose clients have less under
// way, if the maximum allows it.
const MinShows = 16

// NewLimit returns a Limit of n Shows at once, at least 1. Clients are the API's own; nil
// for none, so that n is the bound.
func NewLimit(n int, clients *Clients) *Limit {
	n = max(n, 1)
	return &Limit{full: n, clients: clients, allowed: n}
}

// bound returns how many Shows may be read at once.
func (l *Limit) bound() int {
	if l.clients == nil {
		return l.allowed
	}
	return min(l.allowed, l.full, max(MinShows, l.clients.Most()))
}

// Acquire waits for a place. It fails only if ctx ends first.
func (l *Limit) Acquire(ctx context.Context) error {
	l.mu.Lock()
	if l.room() {
		l.used++
		l.mu.Unlock()
		return nil
	}
	return l.wait(ctx, &l.marks, func() { l.used-- })
}

// AcquireLook waits for a place for a look. It fails only if ctx ends first.
func (l *Limit) AcquireLook(ctx context.Context) error {
	l.mu.Lock()
	if l.roomForLook() {
		l.used++
		l.looks++
		l.mu.Unlock()
		return nil
	}
	return l.wait(ctx, &l.turns, func() { l.used--; l.looks-- })
}

// TryLook takes a place for a look if one is free.
func (l *Limit) TryLook() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.roomForLook() {
		return false
	}
	l.used++
	l.looks++
	return true
}

// wait waits in a line, and unlocks mu. Undo takes back a place that was given.
func (l *Limit) wait(ctx context.Context, line *[]chan struct{}, undo func()) error {
	place := make(chan struct{})
	*line = append(*line, place)
	l.mu.Unlock()

	select {
	case <-place:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(*line, place); i >= 0 {
		*line = slices.Delete(*line, i, i+1)
	} else {
		// The place was given in the same moment; pass it on.
		undo()
	}
	l.admit()
	return ctx.Err()
}

// Release returns a place, and records whether the API answered, and how long that took.
func (l *Limit) Release(answered bool, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.release(answered, took)
}

// ReturnLook returns a look's place, and says nothing of the API: a client may
// have chosen the object, and nobody has confirmed that it can be read.
func (l *Limit) ReturnLook() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.looks--
	l.used--
	l.admit()
}

// ReleaseLook is Release for a look's place.
func (l *Limit) ReleaseLook(answered bool, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.looks--
	l.release(answered, took)
}

func (l *Limit) release(answered bool, took time.Duration) {
	switch {
	case !answered:
		l.allowed = 1
	case l.pace.note(took, l.used, time.Now()):
		l.allowed = max(min(MinShows, l.allowed), min(l.allowed, l.used)*9/10)
	default:
		l.allowed = min(l.allowed+1, l.full)
	}
	l.used--
	l.admit()
}

func (l *Limit) room() bool {
	return l.used < l.bound()
}

// roomForLook reports whether a look may have a place. If there is only one
// place, a look may have it.
func (l *Limit) roomForLook() bool {
	return l.room() && l.looks < max(min(l.bound(), MinShows)/2, 1)
}

// admit gives free places to those that have waited longest, marks first.
func (l *Limit) admit() {
	for l.room() && len(l.marks) > 0 {
		close(l.marks[0])
		l.marks = l.marks[1:]
		l.used++
	}
	for l.roomForLook() && len(l.turns) > 0 {
		close(l.turns[0])
		l.turns = l.turns[1:]
		l.used++
		l.looks++
	}
}
