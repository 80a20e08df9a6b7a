// SPDX-License-Identifier: Apache-2.0

package schedule

import "github.com/caddy-webhooks/caddy-webhooks/queue"

// The heap is binary and holds numbers of items; each item knows its place,
// so that it can be moved or taken out without a search.

func (s *Schedule[V]) push(b *band, ref uint32) {
	b.heap = append(b.heap, ref)
	s.items.at(ref).place = int32(len(b.heap) - 1)
	s.up(b, len(b.heap)-1)
}

// pull takes the item at a place out of the heap.
func (s *Schedule[V]) pull(b *band, place int) {
	last := len(b.heap) - 1
	s.swap(b, place, last)
	s.items.at(b.heap[last]).place = outside
	b.heap = b.heap[:last]
	if place < last {
		s.fix(b, place)
	}
}

// fix restores the order after the item at a place has changed.
func (s *Schedule[V]) fix(b *band, place int) {
	if !s.down(b, place) {
		s.up(b, place)
	}
}

func (s *Schedule[V]) up(b *band, place int) {
	for place > 0 {
		parent := (place - 1) / 2
		if !s.before(b, place, parent) {
			return
		}
		s.swap(b, place, parent)
		place = parent
	}
}

func (s *Schedule[V]) down(b *band, place int) (moved bool) {
	for {
		child := 2*place + 1
		if child >= len(b.heap) {
			return moved
		}
		if child+1 < len(b.heap) && s.before(b, child+1, child) {
			child++
		}
		if !s.before(b, child, place) {
			return moved
		}
		s.swap(b, place, child)
		place, moved = child, true
	}
}

func (s *Schedule[V]) before(b *band, one, other int) bool {
	first, second := s.items.at(b.heap[one]), s.items.at(b.heap[other])
	if b.of.order == queue.OrderEndpoint {
		return s.hooks.Position(&first.value) < s.hooks.Position(&second.value)
	}
	return first.at < second.at
}

func (s *Schedule[V]) swap(b *band, one, other int) {
	b.heap[one], b.heap[other] = b.heap[other], b.heap[one]
	s.items.at(b.heap[one]).place = int32(one)
	s.items.at(b.heap[other]).place = int32(other)
}
