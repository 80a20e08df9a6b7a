// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"math"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// group is a set of items with an order, and its waiters.
type group struct {
	name string
	// salt sets keys of different groups apart in the shared index.
	salt uint64
	// bands hold the items. Those of the second are leased only while none of
	// the first is due.
	bands [2]band
	// order says which items may be leased together, and orders the heaps. next
	// is the order once the leases under it have ended.
	order, next queue.Order
	// size counts all items. leases counts those that are leased, or whose
	// lease has passed.
	size    int
	leases  int
	waiters []*waiter
	// timer fires when the first item is of interest. It is armed only while
	// somebody waits.
	timer *time.Timer
	armed int64
}

// band is a part of a group.
type band struct {
	of *group
	// heap orders the items by their next event: free items by when they are
	// due, leased ones by when the lease passes. Pinned items are not in it.
	// With [queue.OrderEndpoint] it orders them by position.
	heap []uint32
}

func newGroup(name string, salt uint64, order queue.Order) *group {
	g := &group{name: name, salt: salt, order: order, next: order}
	for i := range g.bands {
		g.bands[i].of = g
	}
	return g
}

// arm makes the timer call fire at the given time.
func (g *group) arm(at, now int64, fire func()) {
	if g.armed == at {
		return
	}
	g.armed = at
	if g.timer == nil {
		g.timer = time.AfterFunc(time.Duration(at-now), fire)
		return
	}
	g.timer.Reset(time.Duration(at - now))
}

func (g *group) disarm() {
	if g.timer != nil && g.armed != 0 {
		g.timer.Stop()
	}
	g.armed = 0
}

// Nanos returns a time as nanoseconds since 1970. Times beyond the range become
// the nearest within, and the zero time the earliest.
func Nanos(t time.Time) int64 {
	switch year := t.Year(); {
	case year < 1678:
		return math.MinInt64
	case year > 2261:
		return math.MaxInt64
	default:
		return t.UnixNano()
	}
}
