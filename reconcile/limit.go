// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"
	"sync"
)

// Limit bounds how many Shows are read from an API at once, and asks less of
// an API that is in trouble: after a failure one at a time, after each success
// one more, until the full number is allowed again. The zero Limit allows
// nothing; use [NewLimit].
type Limit struct {
	mu      sync.Mutex
	full    int
	allowed int
	used    int
	waiting []chan struct{}
}

// NewLimit returns a Limit of n Shows at once, at least 1.
func NewLimit(n int) *Limit {
	n = max(n, 1)
	return &Limit{full: n, allowed: n}
}

// Acquire waits for a place. It fails only when ctx ends first.
func (l *Limit) Acquire(ctx context.Context) error {
	l.mu.Lock()
	if l.used < l.allowed {
		l.used++
		l.mu.Unlock()
		return nil
	}
	place := make(chan struct{})
	l.waiting = append(l.waiting, place)
	l.mu.Unlock()

	select {
	case <-place:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, w := range l.waiting {
		if w == place {
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			return ctx.Err()
		}
	}
	// The place was given in the same moment; pass it on.
	l.used--
	l.admit()
	return ctx.Err()
}

// Release gives a place back, and tells whether the API answered.
func (l *Limit) Release(answered bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used--
	if answered {
		l.allowed = min(l.allowed+1, l.full)
	} else {
		l.allowed = 1
	}
	l.admit()
}

// admit gives free places to those who have waited longest.
func (l *Limit) admit() {
	for l.used < l.allowed && len(l.waiting) > 0 {
		close(l.waiting[0])
		l.waiting = l.waiting[1:]
		l.used++
	}
}
