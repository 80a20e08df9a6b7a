// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"math"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// group is a set of items with its own order, and those who wait for them.
type group struct {
	name string
	// salt tells keys of different groups apart in the shared index.
	salt uint64
	// bands hold the items: the second those that are leased only while none
	// of the first is due.
	bands [2]band
	// order says what may be leased beside what, and orders the heaps; next is
	// what it becomes when the leases under it have ended.
	order, next queue.Order
	// size counts the items, those in no heap too, leases those that are
	// leased, or were when their lease passed.
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
	// heap orders the items by when they are next of interest: free ones when
	// they are due, leased ones when the lease passes. Pinned ones are not in
	// it. With [queue.OrderEndpoint] it orders them by their position.
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

// Nanos returns a time as nanoseconds since 1970. Times too far away for that
// become the nearest that is not, and the zero time the earliest.
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
