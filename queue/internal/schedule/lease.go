// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Lease is the right to work on one item.
type Lease[V any] struct {
	// Group and Key name the item.
	Group, Key string
	// Fence sets this lease apart from any other.
	Fence uint64
	// Due is when the item was due.
	Due int64
	// Value is the item's value when it was leased.
	Value V
	// Order is the group's, which does not change while an item is leased.
	Order queue.Order
}

// hold is the state of a lease while it lasts.
type hold struct {
	ref     uint32
	fence   uint64
	due     int64
	expires int64
	// pinned is set while the worker's result is being committed: the lease
	// cannot pass then, so that no other worker begins on a state that is about
	// to be replaced.
	pinned bool
}

// waiter waits for an item of a group.
type waiter struct {
	lease  time.Duration
	served chan served
}

// served is what a waiter gets: a lease by its fence, or an error.
type served struct {
	fence uint64
	err   error
}

// Lease waits until an item of the group is due and leases it, the one that is
// due longest first. The first waiter gets it.
func (s *Schedule[V]) Lease(ctx context.Context, name string, lease time.Duration) (Lease[V], error) {
	if err := ctx.Err(); err != nil {
		return Lease[V]{}, err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return Lease[V]{}, queue.ErrClosed
	}
	g := s.group(name)
	w := &waiter{lease: lease, served: make(chan served, 1)}
	g.waiters = append(g.waiters, w)
	s.serve(g)
	select {
	case got := <-w.served:
		// An item was due, as is usual in a backlog.
		defer s.mu.Unlock()
		return s.describe(s.fences[got.fence]), nil
	default:
	}
	s.mu.Unlock()

	select {
	case got := <-w.served:
		return s.take(got)
	case <-ctx.Done():
		s.abandon(g, w)
		return Lease[V]{}, ctx.Err()
	}
}

func (s *Schedule[V]) take(got served) (Lease[V], error) {
	if got.err != nil {
		return Lease[V]{}, got.err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.fences[got.fence]
	if h == nil {
		return Lease[V]{}, queue.ErrLeaseLost
	}
	return s.describe(h), nil
}

// abandon ends the wait of a caller who has left, and gives back an item that
// was leased to them meanwhile.
func (s *Schedule[V]) abandon(g *group, w *waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(g.waiters, w); i >= 0 {
		g.waiters = slices.Delete(g.waiters, i, i+1)
		s.serve(g)
		s.forget(g)
		return
	}
	select {
	case got := <-w.served:
		if h := s.fences[got.fence]; h != nil {
			s.free(h, h.due)
		}
	default:
	}
}

// Pin keeps a lease from passing until [Schedule.Unpin] or [Schedule.Finish],
// while its result is being committed. It fails with [queue.ErrLeaseLost] if
// the lease is no longer held, or pinned already.
func (s *Schedule[V]) Pin(fence uint64) (Lease[V], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.fences[fence]
	if h == nil || h.pinned || h.expires <= Nanos(s.now()) {
		return Lease[V]{}, queue.ErrLeaseLost
	}
	h.pinned = true
	it := s.items.at(h.ref)
	s.pull(it.band, int(it.place))
	return s.describe(h), nil
}

// Unpin ends a pin; the lease goes on.
func (s *Schedule[V]) Unpin(fence uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.fences[fence]; h != nil && h.pinned {
		h.pinned = false
		it := s.items.at(h.ref)
		it.at = h.expires
		s.push(it.band, h.ref)
		s.serve(it.band.of)
	}
}

// Finish ends a pinned lease. The item stays with its changed value, due when
// change says; if change returns false, the item is removed.
func (s *Schedule[V]) Finish(fence uint64, change func(value *V) (due int64, stays bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.fences[fence]
	if h == nil || !h.pinned {
		return
	}
	if due, stays := change(&s.items.at(h.ref).value); stays {
		s.rank(h.ref)
		s.free(h, due)
		return
	}
	s.end(h)
	g := s.items.at(h.ref).band.of
	s.remove(h.ref)
	s.serve(g)
}

// end forgets a lease.
func (s *Schedule[V]) end(h *hold) {
	delete(s.fences, h.fence)
	delete(s.held, h.ref)
	s.items.at(h.ref).band.of.leases--
}

// Holds reports whether a lease is held.
func (s *Schedule[V]) Holds(fence uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.fences[fence]
	return h != nil && (h.pinned || h.expires > Nanos(s.now()))
}

// Release ends a lease that is not pinned; the item is due at once. It fails
// with [queue.ErrLeaseLost] if the lease is no longer held.
func (s *Schedule[V]) Release(fence uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := Nanos(s.now())
	h := s.fences[fence]
	if h == nil || h.pinned || h.expires <= now {
		return queue.ErrLeaseLost
	}
	s.free(h, now)
	return nil
}

// serve leases due items to waiters, and arms the timer for the next item.
func (s *Schedule[V]) serve(g *group) {
	now := Nanos(s.now())
	for len(g.waiters) > 0 {
		if until, blocked := s.blocked(g, now); blocked {
			s.await(g, until, now)
			return
		}
		if g.order != g.next {
			s.reorder(g, now)
		}
		ref := s.first(g, now)
		if ref == 0 {
			break
		}
		if at := s.items.at(ref).at; at > now {
			s.await(g, at, now)
			return
		}
		w := g.waiters[0]
		g.waiters = slices.Delete(g.waiters, 0, 1)
		w.served <- served{fence: s.hold(ref, now, w.lease).fence}
	}
	g.disarm()
}

// await has a group served again at a time. The highest time never comes.
func (s *Schedule[V]) await(g *group, at, now int64) {
	if at == math.MaxInt64 {
		g.disarm()
		return
	}
	g.arm(at, now, func() { s.tick(g) })
}

// first returns the next item of a group to lease: one of the first band if one
// is due, else the one that is due first; 0 if there is none.
func (s *Schedule[V]) first(g *group, now int64) uint32 {
	var next uint32
	for i := range g.bands {
		heap := g.bands[i].heap
		if len(heap) == 0 {
			continue
		}
		if next == 0 || s.items.at(next).at > max(now, s.items.at(heap[0]).at) {
			next = heap[0]
		}
	}
	return next
}

func (s *Schedule[V]) tick(g *group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g.armed = 0
	if !s.closed {
		s.serve(g)
	}
}

// hold leases a due item. It ends a lease of it that has passed.
func (s *Schedule[V]) hold(ref uint32, now int64, lease time.Duration) *hold {
	s.expire(ref)
	s.fence++
	it := s.items.at(ref)
	it.band.of.leases++
	h := &hold{ref: ref, fence: s.fence, due: it.at, expires: now + int64(lease)}
	s.held[ref] = h
	s.fences[h.fence] = h
	it.at = h.expires
	s.fix(it.band, int(it.place))
	return h
}

// free ends a lease; its item is due at the given time.
func (s *Schedule[V]) free(h *hold, due int64) {
	s.end(h)
	it := s.items.at(h.ref)
	it.at = due
	if it.place == outside {
		s.push(it.band, h.ref)
	} else {
		s.fix(it.band, int(it.place))
	}
	s.serve(it.band.of)
}

func (s *Schedule[V]) describe(h *hold) Lease[V] {
	it := s.items.at(h.ref)
	return Lease[V]{Group: it.band.of.name, Key: it.key, Fence: h.fence, Due: h.due, Value: it.value, Order: it.band.of.order}
}
