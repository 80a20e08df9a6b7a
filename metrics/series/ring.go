// SPDX-License-Identifier: Apache-2.0

package series

import (
	"slices"
	"sync"
	"time"
)

const (
	// Every is how far samples lie apart.
	Every = time.Minute
	// Kept is how long they are kept.
	Kept = 24 * time.Hour
	// maxSamples is how many that are: about 300 kB.
	maxSamples = int(Kept/Every) + 1
)

// Ring holds the samples of the last day. The zero value is ready to use.
type Ring struct {
	mu      sync.Mutex
	samples []Sample // the oldest first
}

// Put keeps a sample, unless there is one of the same minute, or of a later one.
func (r *Ring) Put(s Sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.samples); n > 0 && !s.At.Truncate(Every).After(r.samples[n-1].At) {
		return
	}
	if len(r.samples) == maxSamples {
		copy(r.samples, r.samples[1:])
		r.samples = r.samples[:maxSamples-1]
	}
	r.samples = append(r.samples, s)
}

// Since returns since when samples are kept, zero if there are none.
func (r *Ring) Since() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.samples) == 0 {
		return time.Time{}
	}
	return r.samples[0].At
}

// Point is what was done in a part of a time.
type Point struct {
	From, To time.Time
	// Known is false if there are no samples of it.
	Known bool
	// Changes counts exchanges that changed something or may have, Failed attempts that
	// did not succeed.
	Changes, Events, Delivered, Failed uint64
	// Median is how many seconds after its event half of the deliveries were delivered, and
	// Slow how many 95 of 100; both are estimates within a bucket, and 0 if none was.
	Median, Slow float64
	// Waiting is the most that waited at any sample.
	Waiting
}

// Points returns what was done in a time until a sample, in n parts.
func (r *Ring) Points(until Sample, period time.Duration, n int) []Point {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := append(slices.Clone(r.samples), until)
	points := make([]Point, n)
	part := period / time.Duration(n)
	for i := range points {
		to := until.At.Add(-part * time.Duration(n-1-i))
		points[i] = pointOf(all, to.Add(-part), to)
	}
	return points
}

// pointOf returns what samples tell of a part of a time. What lies before the first sample
// is not known: of a part within which it lies, the rest is.
func pointOf(all []Sample, from, to time.Time) Point {
	p := Point{From: from, To: to}
	var first, last *Sample
	for i := range all {
		s := &all[i]
		if s.At.After(to) {
			break
		}
		if first == nil || !s.At.After(from) {
			first = s
		}
		last = s
		if s.At.After(from) {
			p.Marks, p.Deliveries, p.Oldest = max(p.Marks, s.Marks), max(p.Deliveries, s.Deliveries), max(p.Oldest, s.Oldest)
		}
	}
	if first == last {
		return p
	}
	p.Known = true
	p.Changes, p.Events = last.changes-first.changes, last.events-first.events
	p.Delivered, p.Failed = last.delivered-first.delivered, last.failed-first.failed
	var in ages
	for i := range in {
		in[i] = last.ages[i] - first.ages[i]
	}
	p.Median, p.Slow = in.quantile(.5), in.quantile(.95)
	return p
}

// quantile returns below which age that share of the deliveries was, as if they were spread
// evenly within each bucket; 0 if there are none.
func (a *ages) quantile(share float64) float64 {
	total := uint64(0)
	for _, n := range a {
		total += n
	}
	if total == 0 {
		return 0
	}
	rank, below := share*float64(total), 0.0
	for i, bound := range bounds {
		n := float64(a[i])
		if below+n >= rank && n > 0 {
			lower := 0.0
			if i > 0 {
				lower = bounds[i-1]
			}
			return lower + (bound-lower)*(rank-below)/n
		}
		below += n
	}
	return bounds[len(bounds)-1]
}
