// SPDX-License-Identifier: Apache-2.0

// Package series keeps what a process has done in the last day, a sample a minute, for those
// who look at it and have no Prometheus: in memory alone, and of one size.
package series

import (
	"sort"
	"sync/atomic"
	"time"
)

// bounds are the upper ends of the buckets of ages, in seconds. What is older is in a last
// bucket without one.
var bounds = [...]float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400}

// ages counts deliveries by how old their events were.
type ages [len(bounds) + 1]uint64

// Counts counts what a process does. The zero value is ready to use.
type Counts struct {
	changes, events, delivered, failed atomic.Uint64
	ages                               [len(bounds) + 1]atomic.Uint64
}

// Changed counts an exchange that changed something, or may have.
func (c *Counts) Changed() { c.changes.Add(1) }

// Event counts an event.
func (c *Counts) Event() { c.events.Add(1) }

// Failed counts an attempt that did not succeed.
func (c *Counts) Failed() { c.failed.Add(1) }

// Delivered counts a delivery, so long after its event.
func (c *Counts) Delivered(age time.Duration) {
	c.delivered.Add(1)
	c.ages[sort.SearchFloat64s(bounds[:], age.Seconds())].Add(1)
}

// Waiting is what waits at a moment.
type Waiting struct {
	// Marks counts objects that wait for reconciling, Oldest is for how long the first of
	// them has, and Deliveries counts those that are pending.
	Marks, Deliveries int
	Oldest            time.Duration
}

// Sample is what was counted up to a moment, and what waited at it.
type Sample struct {
	At time.Time
	Waiting

	changes, events, delivered, failed uint64
	ages                               ages
}

// Sample returns what was counted until now.
func (c *Counts) Sample(at time.Time, waiting Waiting) Sample {
	s := Sample{
		At: at, Waiting: waiting,
		changes: c.changes.Load(), events: c.events.Load(), delivered: c.delivered.Load(), failed: c.failed.Load(),
	}
	for i := range c.ages {
		s.ages[i] = c.ages[i].Load()
	}
	return s
}
