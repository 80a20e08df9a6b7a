// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// blocked reports whether the leases of a group keep its items from being
// leased, and until when at the latest: [queue.OrderEndpoint] allows one lease
// at a time, and the order changes only without leases. While a lease is
// pinned, there is no latest time.
func (s *Schedule[V]) blocked(g *group, now int64) (until int64, blocked bool) {
	if g.leases == 0 || g.order != queue.OrderEndpoint && g.order == g.next {
		return 0, false
	}
	for ref, h := range s.held {
		if s.items.at(ref).band.of != g {
			continue
		}
		if h.pinned {
			return math.MaxInt64, true
		}
		if h.expires > now {
			until, blocked = max(until, h.expires), true
		}
	}
	return until, blocked
}

// SetOrder sets the order of a group. It changes when the last lease under
// another order has ended, and until then nothing of the group is leased. With
// [queue.OrderEndpoint] the hooks must have Position; to change the order of
// items that are there, Reset and Absorb.
func (s *Schedule[V]) SetOrder(name string, order queue.Order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if order == queue.OrderObject {
		delete(s.orders, name)
	} else {
		s.orders[name] = order
	}
	if g := s.groups[name]; g != nil {
		g.next = order
		s.serve(g)
	}
}

// reorder gives a group without leases its next order.
func (s *Schedule[V]) reorder(g *group, now int64) {
	refs := slices.Concat(g.bands[0].heap, g.bands[1].heap)
	for i := range g.bands {
		g.bands[i].heap = g.bands[i].heap[:0]
	}
	g.order = g.next
	var parts []uint32
	for _, ref := range refs {
		if h := s.held[ref]; h != nil {
			s.end(h)
		}
		it := s.items.at(ref)
		it.place = outside
		if _, _, part := ParsePart(it.key); part {
			parts = append(parts, ref)
			continue
		}
		s.hooks.Reset(&it.value)
		it.at = now
	}
	for _, ref := range parts {
		s.absorb(g, ref, now)
	}
	for _, ref := range refs {
		// Absorbed parts are removed; new wholes are in a heap already.
		if it := s.items.at(ref); it.band != nil && it.band.of == g && it.place == outside {
			s.push(it.band, ref)
		}
	}
}

// absorb puts a part back into its whole.
func (s *Schedule[V]) absorb(g *group, ref uint32, now int64) {
	it := s.items.at(ref)
	key, _, _ := ParsePart(it.key)
	part := it.value
	// The group must not be forgotten meanwhile.
	g.size++
	s.remove(ref)
	g.size--
	whole := s.find(g, key)
	if whole == 0 {
		var value V
		s.hooks.Absorb(&value, part)
		s.insert(g, key, now, value)
		return
	}
	s.hooks.Absorb(&s.items.at(whole).value, part)
	s.rank(whole)
}

// partMark is the prefix of the keys of parts. No other key has it: others
// begin with a number in its shortest form.
const partMark = "\x80\x00"

// PartKey returns the key of a part of an item.
func PartKey(key string, part uint64) string {
	b := make([]byte, 0, len(partMark)+8+len(key))
	b = binary.BigEndian.AppendUint64(append(b, partMark...), part)
	return string(append(b, key...))
}

// ParsePart is the inverse of [PartKey]. It returns a key that is no part's as
// it is.
func ParsePart(key string) (whole string, part uint64, ok bool) {
	if len(key) < len(partMark)+8 || key[:len(partMark)] != partMark {
		return key, 0, false
	}
	number := key[len(partMark) : len(partMark)+8]
	return key[len(partMark)+8:], binary.BigEndian.Uint64([]byte(number)), true
}

// Order returns the present order of a group.
func (s *Schedule[V]) Order(name string) queue.Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.groups[name]; g != nil {
		return g.order
	}
	return s.orders[name]
}

// Split takes a part out of a leased item. A part that is due takes over the
// lease; one that is not waits, and the lease ends. The rest of the item is due
// at once, or removed if take reports that nothing is left. Split fails with
// [queue.ErrLeaseLost] if the lease is no longer held.
func (s *Schedule[V]) Split(fence, part uint64, due int64, take func(whole *V) (part V, left bool)) (Lease[V], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := Nanos(s.now())
	h := s.fences[fence]
	if h == nil || h.pinned || h.expires <= now {
		return Lease[V]{}, queue.ErrLeaseLost
	}
	it := s.items.at(h.ref)
	g, key, lease := it.band.of, it.key, h.expires-now
	value, left := take(&it.value)
	// The group is served once, at the end.
	waiters := g.waiters
	g.waiters = nil
	s.insert(g, PartKey(key, part), due, value)
	if s.free(h, now); !left {
		s.pull(it.band, int(it.place))
		s.remove(h.ref)
	}
	g.waiters = waiters
	ref := s.find(g, PartKey(key, part))
	if due > now {
		s.serve(g)
		return Lease[V]{}, nil
	}
	taken := s.hold(ref, now, 0)
	taken.expires = now + lease
	s.items.at(ref).at = taken.expires
	s.fix(s.items.at(ref).band, int(s.items.at(ref).place))
	leased := s.describe(taken)
	s.serve(g)
	return leased, nil
}

// Yield ends a lease that is not pinned, with the item's value changed. The
// item is due when change says.
func (s *Schedule[V]) Yield(fence uint64, change func(value *V) (due int64)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.fences[fence]
	if h == nil || h.pinned || h.expires <= Nanos(s.now()) {
		return queue.ErrLeaseLost
	}
	due := change(&s.items.at(h.ref).value)
	s.rank(h.ref)
	s.free(h, due)
	return nil
}

// IsFirst reports whether a lease is of the first item of its group.
func (s *Schedule[V]) IsFirst(fence uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.fences[fence]
	if h == nil || h.pinned {
		return false
	}
	it := s.items.at(h.ref)
	return it.band.heap[0] == h.ref
}

// Seize leases and pins an item, due or not, unless it is leased.
func (s *Schedule[V]) Seize(name, key string) (Lease[V], bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ref := s.lookup(name, key)
	if ref == 0 || s.info(ref).Leased {
		return Lease[V]{}, false
	}
	s.expire(ref)
	due := s.items.at(ref).at
	h := s.hold(ref, Nanos(s.now()), 0)
	h.pinned, h.due = true, due
	it := s.items.at(ref)
	s.pull(it.band, int(it.place))
	return s.describe(h), true
}
