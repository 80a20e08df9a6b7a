// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"slices"
	"sync"
)

// Limit bounds how many Shows are read from an API at once, and asks less of
// an API that is in trouble: after a failure one at a time, after each success
// one more, until the full number is allowed again. Looks get half of the
// places at most, and none that a mark waits for: a change that passed is not
// held up by what nobody asked for. The zero Limit allows nothing; use
// [NewLimit].
type Limit struct {
	mu      sync.Mutex
	full    int
	allowed int
	used    int
	// looks is how many of those used are looks.
	looks int
	// marks and turns wait: the former for any place, the latter for a look's.
	// Neither waits while there is such a place.
	marks, turns []chan struct{}
}

// NewLimit returns a Limit of n Shows at once, at least 1.
func NewLimit(n int) *Limit {
	n = max(n, 1)
	return &Limit{full: n, allowed: n}
}

// Acquire waits for a place. It fails only when ctx ends first.
func (l *Limit) Acquire(ctx context.Context) error {
	l.mu.Lock()
	if l.room() {
		l.used++
		l.mu.Unlock()
		return nil
	}
	return l.wait(ctx, &l.marks, func() { l.used-- })
}

// AcquireLook waits for a place of a look. It fails only when ctx ends first.
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

// TryLook takes a place of a look if there is one.
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

// wait waits in a line, and unlocks. Undo takes back a place that was given.
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

// Release gives a place back, and tells whether the API answered.
func (l *Limit) Release(answered bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.release(answered)
}

// ReleaseLook is Release for the place of a look.
func (l *Limit) ReleaseLook(answered bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.looks--
	l.release(answered)
}

func (l *Limit) release(answered bool) {
	l.used--
	if answered {
		l.allowed = min(l.allowed+1, l.full)
	} else {
		l.allowed = 1
	}
	l.admit()
}

func (l *Limit) room() bool {
	return l.used < l.allowed
}

// roomForLook tells whether a look may have a place. Where there is but one, it
// may have that.
func (l *Limit) roomForLook() bool {
	return l.room() && l.looks < max(l.allowed/2, 1)
}

// admit gives free places to those who have waited longest, marks first.
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
