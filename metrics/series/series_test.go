// SPDX-License-Identifier: Apache-2.0

package series

import (
	"math"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// There is one sample of a minute, and a day of them at most: the last.
func TestRingIsBounded(t *testing.T) {
	var r Ring
	var c Counts
	if !r.Since().IsZero() {
		t.Error("an empty ring has a beginning")
	}
	for i := range 2 * maxSamples {
		at := noon.Add(time.Duration(i) * Every)
		r.Put(c.Sample(at, Waiting{}))
		r.Put(c.Sample(at.Add(time.Second), Waiting{})) // as of a second configuration
		r.Put(c.Sample(at.Add(-time.Hour), Waiting{}))  // a clock that was set back
	}
	if len(r.samples) != maxSamples || cap(r.samples) > 4*maxSamples {
		t.Errorf("it has %d samples, %d places", len(r.samples), cap(r.samples))
	}
	if want := noon.Add(time.Duration(maxSamples) * Every); !r.Since().Equal(want) {
		t.Errorf("it begins at %s, want %s", r.Since(), want)
	}
}

// Parts of a time tell what was done in each of them, and nothing of before the first sample.
func TestPoints(t *testing.T) {
	var r Ring
	var c Counts
	at := func(minute int) time.Time { return noon.Add(time.Duration(minute) * time.Minute) }
	c.Changed() // before the first sample: nobody knows when
	r.Put(c.Sample(at(0), Waiting{}))
	for minute := 1; minute <= 30; minute++ {
		c.Changed()
		c.Event()
		c.Event()
		c.Delivered(time.Second)
		if minute > 20 {
			c.Failed()
		}
		r.Put(c.Sample(at(minute), Waiting{Marks: minute, Deliveries: 100 - minute, Oldest: time.Duration(minute) * time.Second}))
	}
	c.Changed() // since the last sample
	points := r.Points(c.Sample(at(30).Add(30*time.Second), Waiting{Marks: 50}), 50*time.Minute, 5)
	known := ""
	var changes, events, failed uint64
	for _, p := range points {
		if p.Known {
			known += "y"
		} else {
			known += "n"
		}
		changes, events, failed = changes+p.Changes, events+p.Events, failed+p.Failed
	}
	if known != "nnyyy" || changes != 31 || events != 60 || failed != 10 {
		t.Errorf("known %s, %d changes, %d events, %d failed: %+v", known, changes, events, failed, points)
	}
	last := points[4]
	if last.Marks != 50 || last.Deliveries != 79 || last.Oldest != 30*time.Second || last.Changes != 11 || last.Delivered != 10 || !last.To.Equal(at(30).Add(30*time.Second)) {
		t.Errorf("the last is %+v", last)
	}
	if last.Median <= .5 || last.Median > 1 || last.Slow < last.Median || last.Slow > 1 {
		t.Errorf("half are faster than %v, 95 of 100 than %v", last.Median, last.Slow)
	}
	// Nothing is lost of what was put before: reading leaves the ring as it is.
	if again := r.Points(c.Sample(at(31), Waiting{}), 10*time.Minute, 1)[0]; again.Changes != 10 {
		t.Errorf("again: %+v", again)
	}
}

func TestQuantiles(t *testing.T) {
	for _, tc := range []struct {
		ages         []time.Duration
		median, slow float64
	}{
		{nil, 0, 0},
		{[]time.Duration{0}, .0025, .00475},
		{[]time.Duration{time.Second, time.Second}, .75, .975},
		{[]time.Duration{time.Millisecond, time.Millisecond, time.Millisecond, time.Hour}, .0033333, 3060},
		{[]time.Duration{48 * time.Hour, 100 * time.Hour}, 86400, 86400},
	} {
		var c Counts
		for _, age := range tc.ages {
			c.Delivered(age)
		}
		s := c.Sample(noon, Waiting{})
		if median, slow := s.ages.quantile(.5), s.ages.quantile(.95); math.Abs(median-tc.median) > .001 || math.Abs(slow-tc.slow) > .001 {
			t.Errorf("%v: %v and %v, want %v and %v", tc.ages, median, slow, tc.median, tc.slow)
		}
	}
}
