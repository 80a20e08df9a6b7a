// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

// lane holds the positions of the pending deliveries of one object to one
// endpoint, in their order, and which of them was leased last.
type lane struct {
	pending []int
	leased  int
}

func (l *lane) first() uint64 {
	if len(l.pending) == 0 {
		return 0
	}
	return uint64(l.pending[0])
}

func (l *lane) put(position int) {
	i, _ := slices.BinarySearch(l.pending, position)
	l.pending = slices.Insert(slices.Clone(l.pending), i, position)
}

func (l *lane) take(position int) {
	l.pending = slices.DeleteFunc(slices.Clone(l.pending), func(p int) bool { return p == position })
}

func (l *lane) absorb(part lane) {
	for _, position := range part.pending {
		l.put(position)
	}
}

// decide ends a delivery.
func (d *delivery) decide(status queue.Status, now time.Time) {
	d.Status, d.DueAt, d.FinishedAt = status, time.Time{}, now
	d.ExtraAttempts, d.HastenedFrom = 0, time.Time{}
}

// open puts a pending delivery into its lane.
func (s *Store) open(position int, d *delivery, now time.Time) {
	object := laneKey(d.Key)
	known := s.lanes.Touch(d.Endpoint, object, func(l *lane, _ bool) (int64, bool) {
		l.put(position)
		return schedule.Nanos(now), l.pending[0] == position
	})
	if !known {
		s.lanes.Put(d.Endpoint, object, schedule.Nanos(now), lane{pending: []int{position}})
	}
}

// holds reports whether a delivery is leased.
func (s *Store) holds(position int, d *delivery) bool {
	if _, info, known := s.lanes.Get(d.Endpoint, schedule.PartKey(laneKey(d.Key), uint64(position))); known {
		return info.Leased
	}
	l, info, known := s.lanes.Get(d.Endpoint, laneKey(d.Key))
	return known && info.Leased && l.leased == position
}

// hasten makes a delivery that waits for a retry due.
func (s *Store) hasten(position int, d *delivery, now time.Time) {
	if d.HastenedFrom.IsZero() {
		d.HastenedFrom = d.DueAt
	}
	d.DueAt = now
	due := func(l *lane, _ bool) (int64, bool) { return schedule.Nanos(now), l.pending[0] == position }
	if !s.lanes.Touch(d.Endpoint, schedule.PartKey(laneKey(d.Key), uint64(position)), due) {
		s.lanes.Touch(d.Endpoint, laneKey(d.Key), due)
	}
}

// leave takes a delivery that is not leased out of its lane.
func (s *Store) leave(position int, d *delivery, now time.Time) {
	for _, key := range []string{schedule.PartKey(laneKey(d.Key), uint64(position)), laneKey(d.Key)} {
		held, seized := s.lanes.Seize(d.Endpoint, key)
		if !seized {
			s.lanes.Update(d.Endpoint, key, func(l *lane) { l.take(position) })
			continue
		}
		s.lanes.Finish(held.Fence, func(l *lane) (int64, bool) {
			first := l.pending[0] == position
			if l.take(position); first {
				return schedule.Nanos(now), len(l.pending) > 0
			}
			return held.Due, true
		})
	}
}
