// SPDX-License-Identifier: Apache-2.0

package pocketbase

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// journal keeps entries in the order of arrival, and lets tests wait for them.
type journal[T any] struct {
	mu      sync.Mutex
	entries []T
	grown   chan struct{} // closed when an entry is added
}

func newJournal[T any]() *journal[T] {
	return &journal[T]{grown: make(chan struct{})}
}

func (j *journal[T]) add(entry T) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, entry)
	close(j.grown)
	j.grown = make(chan struct{})
}

// pick returns the entries that accept accepts.
func (j *journal[T]) pick(accept func(T) bool) []T {
	picked, _ := j.look(accept)
	return picked
}

func (j *journal[T]) look(accept func(T) bool) ([]T, <-chan struct{}) {
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

// await waits until the entries that accept accepts are enough, and returns
// them.
func (j *journal[T]) await(ctx context.Context, accept func(T) bool, enough func([]T) bool) ([]T, error) {
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

// atLeast makes the enough of await.
func atLeast[T any](n int) func([]T) bool {
	return func(picked []T) bool { return len(picked) >= n }
}

// subsequence reports whether all of part appear in whole, in order.
func subsequence(part, whole []string) bool {
	for _, want := range part {
		at := slices.Index(whole, want)
		if at < 0 {
			return false
		}
		whole = whole[at+1:]
	}
	return true
}
