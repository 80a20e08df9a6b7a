// SPDX-License-Identifier: Apache-2.0

package emitter

import "time"

// spread is how far jitter moves a delay to either side, as a part of the
// delay. Deliveries that failed together, because their receiver went down,
// would otherwise all come back together and might bring it down again. A fifth
// keeps the steps of the default schedule apart.
const spread = 0.2

// Schedule holds the delays between a failed attempt and the next. An empty
// Schedule means a single attempt.
type Schedule []time.Duration

// Next returns the delay before the next attempt of a delivery that has failed
// the given number of times, at least 1, or false if that was the last attempt.
// Jitter is in [0, 1): 0 gives the delay less a fifth, 0.5 the delay as it is.
func (s Schedule) Next(attempts int, jitter float64) (time.Duration, bool) {
	if attempts < 1 || attempts > len(s) {
		return 0, false
	}
	factor := 1 - spread + 2*spread*jitter
	return time.Duration(float64(s[attempts-1]) * factor), true
}

// asked returns when a delivery is tried again that would be due at a time, after
// an attempt whose receiver has asked for a pause: after that pause, but no later
// than NextAsked would let it.
func (s Schedule) asked(due time.Time, t trial) time.Time {
	if t.asked <= 0 {
		return due
	}
	delay, ok := s.NextAsked(t.attempts, t.jitter, t.asked)
	if pause := t.ended.Add(min(delay, t.asked)); ok && pause.After(due) {
		return pause
	}
	return due
}

// NextAsked is Next for a receiver that asks for a pause: it gets the pause,
// and up to a fifth more, but no more than the schedule's following step. So it
// cannot hold up a delivery for longer than the operator meant to wait anyway.
func (s Schedule) NextAsked(attempts int, jitter float64, asked time.Duration) (time.Duration, bool) {
	delay, ok := s.Next(attempts, jitter)
	if !ok || asked <= delay {
		return delay, ok
	}
	following := s[min(attempts, len(s)-1)]
	asked = min(asked, following)
	return max(delay, min(following, time.Duration(float64(asked)*(1+spread*jitter)))), true
}
