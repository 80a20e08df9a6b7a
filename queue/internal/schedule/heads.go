// SPDX-License-Identifier: Apache-2.0

package schedule

import "github.com/caddy-webhooks/caddy-webhooks/queue"

// headsAtOnce is how many items Heads looks at before others have their turn.
const headsAtOnce = 4096

// Heads calls visit with the items of a group that are not leased, or only with
// the one that is due next, if none is due. With [queue.OrderEndpoint] that is
// the first item, and none while one is leased. It must not call the schedule.
// Of items that change meanwhile, some may be left out, or come twice.
func (s *Schedule[V]) Heads(name string, next bool, visit func(key string, value V, due int64)) {
	for from := 0; s.heads(name, next, from, visit); from += headsAtOnce {
	}
}

// heads is one turn of Heads, and reports whether there may be more.
func (s *Schedule[V]) heads(name string, next bool, from int, visit func(key string, value V, due int64)) (more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[name]
	if g == nil {
		return false
	}
	now := Nanos(s.now())
	if _, blocked := s.blocked(g, now); blocked {
		return false
	}
	for i := range g.bands {
		heap := g.bands[i].heap
		if next || g.order == queue.OrderEndpoint {
			if ref := s.soonest(heap); ref != 0 && (!next || s.items.at(ref).at > now) {
				it := s.items.at(ref)
				visit(it.key, it.value, it.at)
			}
			continue
		}
		to := min(from+headsAtOnce, len(heap))
		for _, ref := range heap[min(from, to):to] {
			if it := s.items.at(ref); !s.info(ref).Leased {
				visit(it.key, it.value, it.at)
			}
		}
		more = more || to < len(heap)
	}
	return more
}

// soonest returns the first item of a heap that is not leased, 0 for none. It
// looks only at leased items and their children.
func (s *Schedule[V]) soonest(heap []uint32) uint32 {
	var best uint32
	for look := []int{0}; len(look) > 0; {
		place := look[len(look)-1]
		look = look[:len(look)-1]
		if place >= len(heap) {
			continue
		}
		ref := heap[place]
		if s.info(ref).Leased {
			look = append(look, 2*place+1, 2*place+2)
			continue
		}
		if best == 0 || s.items.at(ref).at < s.items.at(best).at {
			best = ref
		}
	}
	return best
}
