// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"maps"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

// lanes knows, for each endpoint, the objects that have pending deliveries, and
// the first delivery of each. Objects are the items of the schedule in any
// order: with [queue.OrderEndpoint] the schedule leases one at a time, by
// position; with [queue.OrderNone] a leased delivery is split off as a part,
// and stays one until it is decided.
type lanes struct {
	due *schedule.Schedule[lane]

	// reading is not nil until all lanes are known.
	reading atomic.Pointer[laneReading]

	// mu is taken while the schedule's own lock is held, never the other way
	// round.
	mu sync.Mutex
	// pending counts the deliveries of each endpoint.
	pending map[string]int
}

// lane is the deliveries of one object to one endpoint. There may be a million
// lanes, so a lane is small.
type lane struct {
	// head is the position of the first pending delivery. If attempts is
	// finished, it is a position before that, most often of the last decided
	// delivery: a seek from there finds the next head without passing deleted
	// rows.
	head uint64
	// pending counts the deliveries.
	pending uint32
	// attempts counts those made of the head.
	attempts uint32
	// back, if not 0, is the position of a delivery that became pending while
	// the lane was leased, perhaps before the head: the search for the next
	// head begins there.
	back uint64
}

// finished is the number of attempts of a head that has to be found.
const finished = math.MaxUint32

// lowest is the lowest position that the head can have.
func (l *lane) lowest() uint64 {
	if l.attempts == finished {
		return l.head + 1
	}
	return l.head
}

// rank is the lowest position of a pending delivery, leased ones included.
func (l *lane) rank() uint64 {
	if l.back != 0 {
		return min(l.back, l.lowest())
	}
	return l.lowest()
}

func (l *lane) putBack(position uint64) {
	if l.back == 0 || position < l.back {
		l.back = position
	}
}

// goBack is called when a lease ends or begins. It reports whether the lane has
// to find another head.
func (l *lane) goBack() bool {
	if l.back == 0 {
		return false
	}
	l.lookFrom(l.rank())
	l.back = 0
	return true
}

// lookFrom makes a lane find its head at a position or behind it.
func (l *lane) lookFrom(position uint64) {
	l.head, l.attempts = position-1, finished
}

// forget makes a lane find its head again.
func (l *lane) forget() {
	l.lookFrom(l.rank())
	l.back = 0
}

func (l *lane) absorb(part lane) {
	lowest := part.rank()
	if l.pending > 0 {
		lowest = min(lowest, l.rank())
	}
	l.pending += part.pending
	l.lookFrom(lowest)
	l.back = 0
}

// birth is a delivery that is to become leasable.
type birth struct {
	endpoint string
	object   string
	position uint64
	due      int64
}

func newLanes(now func() time.Time) *lanes {
	return &lanes{
		due:     schedule.New(now, schedule.Hooks[lane]{Position: (*lane).rank, Reset: (*lane).forget, Absorb: (*lane).absorb}),
		pending: make(map[string]int),
	}
}

// expect counts deliveries that are committed: they are counted before they can
// be leased.
func (l *lanes) expect(born []birth) {
	if len(born) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range born {
		l.pending[born[i].endpoint]++
	}
}

// publish makes expected deliveries leasable, as soon as their lanes are known.
// Those of a lane must come in their order.
func (l *lanes) publish(born []birth) {
	if r := l.reading.Load(); r != nil {
		born = r.hold(born)
	}
	l.makeLeasable(born)
}

func (l *lanes) makeLeasable(born []birth) {
	for i := range born {
		b := &born[i]
		joined := l.due.Update(b.endpoint, b.object, func(lane *lane) { lane.pending++ })
		if !joined {
			l.due.Put(b.endpoint, b.object, b.due, lane{head: b.position, pending: 1})
		}
	}
}

// reopen makes a delivery leasable whose place may be before pending ones.
func (l *lanes) reopen(b *birth) {
	l.count(b.endpoint, 1)
	known := l.due.Touch(b.endpoint, b.object, func(lane *lane, leased bool) (int64, bool) {
		lane.pending++
		if leased {
			// The leaseholder may be about to find the head.
			if b.position < lane.head || lane.attempts == finished {
				lane.putBack(b.position)
			}
			return 0, false
		}
		if b.position >= lane.lowest() {
			return 0, false
		}
		lane.lookFrom(b.position)
		return b.due, true
	})
	if !known {
		found := lane{pending: 1}
		found.lookFrom(b.position)
		l.due.Put(b.endpoint, b.object, b.due, found)
	}
}

// hasten makes a pending delivery due, unless it waits for others.
func (l *lanes) hasten(b *birth) {
	now := func(*lane, bool) (int64, bool) { return b.due, true }
	if l.due.Touch(b.endpoint, schedule.PartKey(b.object, b.position), now) {
		return
	}
	l.due.Touch(b.endpoint, b.object, func(lane *lane, leased bool) (int64, bool) {
		if leased && lane.attempts == finished {
			lane.putBack(b.position)
		}
		return b.due, b.position == lane.head || lane.attempts == finished
	})
}

// retry ends a pinned lease; its delivery is attempted again.
func (l *lanes) retry(held schedule.Lease[lane], dueAt, now time.Time) {
	l.due.Finish(held.Fence, func(lane *lane) (int64, bool) {
		lane.attempts++
		if lane.goBack() {
			return schedule.Nanos(now), true
		}
		return schedule.Nanos(dueAt), true
	})
}

// release ends a lease; its delivery is due at once.
func (l *lanes) release(fence uint64, now time.Time) error {
	if _, err := l.due.Pin(fence); err != nil {
		return err
	}
	l.due.Finish(fence, func(lane *lane) (int64, bool) {
		lane.goBack()
		return schedule.Nanos(now), true
	})
	return nil
}

// advance ends a pinned lease whose delivery was decided. The next one in the
// lane has its turn after what is due in other lanes.
func (l *lanes) advance(held schedule.Lease[lane], now time.Time) {
	l.count(held.Group, -1)
	l.due.Finish(held.Fence, func(lane *lane) (int64, bool) {
		lane.pending -= min(lane.pending, 1)
		lane.attempts = finished
		lane.goBack()
		return schedule.Nanos(now), lane.pending > 0
	})
}

// leave takes decided deliveries out of a lane that is not leased, or whose
// lease is of another delivery. The lane is seized, unless the fence is 0.
func (l *lanes) leave(endpoint, object string, fence uint64, positions []uint64, due, now int64) {
	l.count(endpoint, -len(positions))
	take := func(lane *lane) {
		lane.pending -= min(lane.pending, uint32(len(positions)))
		if lane.attempts != finished && lane.head == positions[0] {
			lane.attempts = finished
		}
	}
	if fence == 0 {
		l.due.Update(endpoint, object, take)
		return
	}
	l.due.Finish(fence, func(lane *lane) (int64, bool) {
		resolved := lane.attempts != finished
		take(lane)
		lane.goBack()
		if resolved && lane.attempts == finished {
			// The head that waited is gone; the next need not wait.
			due = min(due, now)
		}
		return due, lane.pending > 0
	})
}

// recount ends a pinned lease of a lane that has fewer deliveries than it
// counted.
func (l *lanes) recount(held schedule.Lease[lane], pending int) {
	l.due.Finish(held.Fence, func(lane *lane) (int64, bool) {
		l.count(held.Group, pending-int(lane.pending))
		lane.pending = uint32(pending)
		lane.forget()
		return held.Due, pending > 0
	})
}

// drop ends a pinned lease and forgets the lane.
func (l *lanes) drop(held schedule.Lease[lane]) {
	l.due.Finish(held.Fence, func(lane *lane) (int64, bool) {
		l.count(held.Group, -int(lane.pending))
		lane.goBack()
		return 0, false
	})
}

func (l *lanes) count(endpoint string, change int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pending[endpoint] += change; l.pending[endpoint] <= 0 {
		delete(l.pending, endpoint)
	}
}

// stats adds the figures of the lanes.
func (l *lanes) stats(stats *queue.Stats) {
	stats.Lanes = make(map[string]int)
	l.due.Groups(func(endpoint string, lanes int) { stats.Lanes[endpoint] = lanes })
	l.mu.Lock()
	defer l.mu.Unlock()
	stats.PendingDeliveries = maps.Clone(l.pending)
}

// holds reports whether a delivery is leased, or about to be.
func (l *lanes) holds(endpoint, object string, position uint64) bool {
	if _, info, known := l.due.Get(endpoint, schedule.PartKey(object, position)); known {
		return info.Leased
	}
	lane, info, known := l.due.Get(endpoint, object)
	return known && info.Leased && lane.attempts != finished && lane.head == position
}
