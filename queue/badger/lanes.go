// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"maps"
	"math"
	"sync"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

// lanes knows, for each endpoint, the objects that have pending deliveries,
// and the first of these.
type lanes struct {
	due *schedule.Schedule[lane]

	mu sync.Mutex
	// pending counts the deliveries of each endpoint.
	pending map[string]int
}

// lane is the deliveries of one object to one endpoint. There may be a
// million of them: it is as small as can be.
type lane struct {
	// head is the position of the first pending delivery; if attempts is
	// finished, that of the last one that was decided, and the head is the
	// next after it. So the next is found by a seek to where it must be, never
	// through all those that were deleted before it.
	head uint64
	// pending counts the deliveries.
	pending uint32
	// attempts counts those made of the head.
	attempts uint32
}

// finished stands for the attempts of a delivery that was decided.
const finished = math.MaxUint32

// birth is a delivery that is to become leasable.
type birth struct {
	endpoint string
	object   string
	position uint64
	due      int64
}

func newLanes(now func() time.Time) *lanes {
	return &lanes{due: schedule.New[lane](now, nil), pending: make(map[string]int)}
}

// publish makes deliveries leasable. Those of a lane must come in their order.
func (l *lanes) publish(born []birth) {
	for i := range born {
		b := &born[i]
		l.count(b.endpoint, 1)
		joined := l.due.Update(b.endpoint, b.object, func(lane *lane) { lane.pending++ })
		if !joined {
			l.due.Put(b.endpoint, b.object, b.due, lane{head: b.position, pending: 1})
		}
	}
}

// retry ends a pinned lease; its delivery is attempted again.
func (l *lanes) retry(held schedule.Lease[lane], dueAt time.Time) {
	l.due.Finish(held.Fence, func(lane *lane) (int64, bool) {
		lane.attempts++
		return schedule.Nanos(dueAt), true
	})
}

// advance ends a pinned lease whose delivery was decided. What is next in the
// lane has its turn after what is due in others.
func (l *lanes) advance(held schedule.Lease[lane], now time.Time) {
	l.count(held.Group, -1)
	l.due.Finish(held.Fence, func(lane *lane) (int64, bool) {
		lane.pending--
		lane.attempts = finished
		return schedule.Nanos(now), lane.pending > 0
	})
}

// drop ends a pinned lease and forgets all of its lane.
func (l *lanes) drop(held schedule.Lease[lane]) {
	l.due.Finish(held.Fence, func(lane *lane) (int64, bool) {
		l.count(held.Group, -int(lane.pending))
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

// stats adds what it knows to the queue's figures.
func (l *lanes) stats(stats *queue.Stats) {
	stats.Lanes = make(map[string]int)
	l.due.Groups(func(endpoint string, lanes int) { stats.Lanes[endpoint] = lanes })
	l.mu.Lock()
	defer l.mu.Unlock()
	stats.PendingDeliveries = maps.Clone(l.pending)
}
