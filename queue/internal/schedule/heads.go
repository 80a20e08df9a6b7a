// SPDX-License-Identifier: Apache-2.0

package schedule

import "github.com/caddy-webhooks/caddy-webhooks/queue"

// Heads calls visit with the items of a group that are not leased, or only with
// the one that is due next, if none is due. With [queue.OrderEndpoint] that is
// the first item, and none while one is leased. It must not call the schedule.
func (s *Schedule[V]) Heads(name string, next bool, visit func(key string, value V, due int64)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[name]
	if g == nil {
		return
	}
	now := Nanos(s.now())
	if _, blocked := s.blocked(g, now); blocked {
		return
	}
	for i := range g.bands {
		if next || g.order == queue.OrderEndpoint {
			if ref := s.soonest(g.bands[i].heap); ref != 0 && (!next || s.items.at(ref).at > now) {
				it := s.items.at(ref)
				visit(it.key, it.value, it.at)
			}
			continue
		}
		for _, ref := range g.bands[i].heap {
			if it := s.items.at(ref); !s.info(ref).Leased {
				visit(it.key, it.value, it.at)
			}
		}
	}
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
