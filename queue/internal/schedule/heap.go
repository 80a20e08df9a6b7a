// SPDX-License-Identifier: Apache-2.0

package schedule

// The heap is binary and holds numbers of items; each item knows its place,
// so that it can be moved or taken out without a search.

func (s *Schedule[V]) push(g *group, ref uint32) {
	g.heap = append(g.heap, ref)
	s.items.at(ref).place = int32(len(g.heap) - 1)
	s.up(g, len(g.heap)-1)
}

// pull takes the item at a place out of the heap.
func (s *Schedule[V]) pull(g *group, place int) {
	last := len(g.heap) - 1
	s.swap(g, place, last)
	s.items.at(g.heap[last]).place = outside
	g.heap = g.heap[:last]
	if place < last {
		s.fix(g, place)
	}
}

// fix restores the order after the item at a place got another time.
func (s *Schedule[V]) fix(g *group, place int) {
	if !s.down(g, place) {
		s.up(g, place)
	}
}

func (s *Schedule[V]) up(g *group, place int) {
	for place > 0 {
		parent := (place - 1) / 2
		if !s.before(g, place, parent) {
			return
		}
		s.swap(g, place, parent)
		place = parent
	}
}

func (s *Schedule[V]) down(g *group, place int) (moved bool) {
	for {
		child := 2*place + 1
		if child >= len(g.heap) {
			return moved
		}
		if child+1 < len(g.heap) && s.before(g, child+1, child) {
			child++
		}
		if !s.before(g, child, place) {
			return moved
		}
		s.swap(g, place, child)
		place, moved = child, true
	}
}

func (s *Schedule[V]) before(g *group, a, b int) bool {
	return s.items.at(g.heap[a]).at < s.items.at(g.heap[b]).at
}

func (s *Schedule[V]) swap(g *group, a, b int) {
	g.heap[a], g.heap[b] = g.heap[b], g.heap[a]
	s.items.at(g.heap[a]).place = int32(a)
	s.items.at(g.heap[b]).place = int32(b)
}
