// SPDX-License-Identifier: Apache-2.0

package witness

import (
	"context"
	"fmt"
	"sync"
)

// Journal keeps entries in the order of arrival, and lets tests wait for them.
type Journal[T any] struct {
	mu      sync.Mutex
	entries []T
	grown   chan struct{} // closed when an entry is added
}

// NewJournal returns an empty journal.
func NewJournal[T any]() *Journal[T] {
	return &Journal[T]{grown: make(chan struct{})}
}

// Add adds entries, all at once.
func (j *Journal[T]) Add(entries ...T) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, entries...)
	close(j.grown)
	j.grown = make(chan struct{})
}

// Pick returns the entries that accept accepts.
func (j *Journal[T]) Pick(accept func(T) bool) []T {
	picked, _ := j.look(accept)
	return picked
}

func (j *Journal[T]) look(accept func(T) bool) ([]T, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var picked []T
	for _, entry := range j.entries {
		if accept(entry) {
			picked = append(picked, entry)
		}
	}
	return picked, j.grown
}

// Await waits until the entries that accept accepts are enough, and returns
// them.
func (j *Journal[T]) Await(ctx context.Context, accept func(T) bool, enough func([]T) bool) ([]T, error) {
	for {
		picked, grown := j.look(accept)
		if enough(picked) {
			return picked, nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return picked, fmt.Errorf("%w, with %d entries", ctx.Err(), len(picked))
		}
	}
}

// All accepts every entry.
func All[T any](T) bool { return true }

// AtLeast makes the enough of Await.
func AtLeast[T any](n int) func([]T) bool {
	return func(picked []T) bool { return len(picked) >= n }
}
