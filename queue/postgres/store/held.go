// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"sync"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// held remembers what this node has leased, by fence. Nobody changes a delivery while it is
// leased, so an attempt is finished in one message; and a node that stops knows what to give
// back without looking for it.
type held[T any] struct {
	mu    sync.Mutex
	of    map[int64]lasting[T]
	purge int
}

// lasting is what is leased until a time.
type lasting[T any] struct {
	what  T
	until int64
}

// holding is a leased delivery, and the lane that it is the first of.
type holding struct {
	lane []byte
	row  deliveryRow
}

// add remembers a lease. Those that have passed are forgotten when there are many.
func (h *held[T]) add(fence int64, what T, until, now int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.of == nil {
		h.of = make(map[int64]lasting[T])
	}
	if len(h.of) > h.purge {
		for fence, old := range h.of {
			if old.until <= now {
				delete(h.of, fence)
			}
		}
		h.purge = 2*len(h.of) + 1024
	}
	h.of[fence] = lasting[T]{what, until}
}

func (h *held[T]) get(fence int64) (what T, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	one, ok := h.of[fence]
	return one.what, ok
}

func (h *held[T]) drop(fence int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.of, fence)
}

// each calls do for each lease that has not passed.
func (h *held[T]) each(now int64, do func(fence int64, what T)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for fence, one := range h.of {
		if one.until > now {
			do(fence, one.what)
		}
	}
}

func checkVerdict(verdict queue.Verdict) error {
	switch verdict.Status {
	case queue.StatusPending, queue.StatusDelivered, queue.StatusDead:
		return nil
	default:
		return fmt.Errorf("%q is not a status of a delivery", verdict.Status)
	}
}
