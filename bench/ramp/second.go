// SPDX-License-Identifier: Apache-2.0

package ramp

import (
	"slices"
	"time"
)

// Second is what was seen in one second of a run.
type Second struct {
	// Accepted counts the changes that clients got an answer for, and Told the events
	// that the receiver got.
	Accepted, Told int
	// Ages has how old each change was when the receiver got its event, or that of a
	// later change of the same object; Latencies how long clients waited for each
	// answer. Both are in milliseconds.
	Ages, Latencies []float64
	// Untold counts the changes that the receiver does not know yet, at the end of the
	// second.
	Untold int
	// Pending is the work that is left in the queue: objects that wait for their
	// Shows, and events for the receiver. Memory is that of Caddy, in bytes.
	Pending int
	Memory  int64
}

// Run is a ramp on one API.
type Run struct {
	// API is how long the API takes for an answer.
	API     time.Duration
	Shape   Shape
	Seconds []Second // those of the ramp, and of the time until everything was told
	// Events counts the events of all changes: less, where some were told by an event
	// of a later one.
	Changes, Events int
	// Troubled is about the second receiver.
	Troubled Troubled
	// Broken says which promises were broken.
	Broken []string
}

// Troubled is the receiver that does not answer from one time to another.
type Troubled struct {
	From, To time.Duration
	// Hung counts the deliveries that it did not answer, and Events those that it has
	// got in the end.
	Hung, Events int
}

// during returns the seconds that begin in a part of the ramp: from inclusive, to
// exclusive.
func (r Run) during(from, to time.Duration) []Second {
	first := min(int((from+time.Second-1)/time.Second), len(r.Seconds))
	end := min(int((to+time.Second-1)/time.Second), len(r.Seconds))
	return r.Seconds[first:max(first, end)]
}

// quantile returns a quantile of some numbers, 0 if there are none.
func quantile(numbers []float64, q float64) float64 {
	if len(numbers) == 0 {
		return 0
	}
	numbers = slices.Sorted(slices.Values(numbers))
	return numbers[min(int(q*float64(len(numbers))), len(numbers)-1)]
}

// each returns a figure of each second.
func each(seconds []Second, figure func(Second) float64) []float64 {
	values := make([]float64, len(seconds))
	for i, s := range seconds {
		values[i] = figure(s)
	}
	return values
}

func accepted(s Second) float64 { return float64(s.Accepted) }

func told(s Second) float64 { return float64(s.Told) }
