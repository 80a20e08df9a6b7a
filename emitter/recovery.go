// SPDX-License-Identifier: Apache-2.0

package emitter

import "time"

const (
	// doubtAfter is how many attempts in a row must fail, whatever the answers,
	// before the next success means that the receiver works again: an event that
	// the receiver refuses says nothing about others. One attempt that finds it
	// down is enough.
	doubtAfter = 3
	// What waits is brought forward when a receiver works again, but not within
	// minRelease of its first failure: what failed once is tried by then anyway.
	// It is not brought forward again within minRelease; each time that comes soon
	// after the last doubles that, up to maxRelease. So one event that brings a
	// receiver down each time is not tried all the time because of it.
	minRelease = 10 * time.Second
	maxRelease = 30 * time.Minute
	// A receiver that is down is tried with a delivery that waits, if none is due,
	// when another quarter of the time has passed for which it has been down. So a
	// long outage costs few attempts.
	trialPart = 4
)

// recovery decides when deliveries that wait for a retry are brought forward,
// because their receiver works again or may do so. Like a breaker, it is a
// value. The zero value is a receiver of which nothing is known: its first
// success brings forward what waits since before a restart.
type recovery struct {
	// well is true from a success until the receiver is in doubt.
	well bool
	// failed counts the attempts in a row that failed. since is when the first of
	// them ended, and last when the last did.
	failed      int
	since, last time.Time
	// owed is true from a recovery until what waits is brought forward, not before
	// settled.
	owed    bool
	settled time.Time
	// anew is true if one delivery is to be tried, as the settings have changed.
	anew bool
	// released is when that was last done, and gap how long it is not done again.
	released time.Time
	gap      time.Duration
}

// after returns the recovery after an attempt.
func (r recovery) after(f finished) recovery {
	if f.delivered {
		if !r.well && !r.owed {
			began := f.ended
			if r.failed > 0 {
				began = r.since
			}
			r.owed, r.settled = true, began.Add(minRelease)
		}
		r.well, r.failed, r.since, r.last = true, 0, time.Time{}, time.Time{}
		return r
	}
	if r.failed == 0 {
		r.since = f.ended
	}
	r.failed++
	r.last = f.ended
	if f.down || r.failed >= doubtAfter {
		r.well = false
	}
	return r
}

// changed returns the recovery of an endpoint whose settings have changed, as of
// one whose address was wrong.
func (r recovery) changed() recovery {
	r.well, r.anew = false, true
	return r
}

// forward is what of the deliveries that wait for a retry is brought forward.
type forward int

const (
	nothing forward = iota
	// oneOf: the next of them, to see whether the receiver works.
	oneOf
	// allOf: all of them; it works.
	allOf
)

// next returns what is to be brought forward, and when. The pause that a receiver
// has asked for passes first, as does the rest of a breaker.
func (r recovery) next(b breaker) (forward, time.Time) {
	at := b.until
	switch {
	case r.owed && r.well:
		if r.settled.After(at) {
			at = r.settled
		}
		if again := r.released.Add(r.gap); r.gap > 0 && again.After(at) {
			at = again
		}
		return allOf, at
	case r.anew:
		return oneOf, at
	case b.open() && r.failed > 0:
		if trial := r.last.Add(r.last.Sub(r.since) / trialPart); trial.After(at) {
			at = trial
		}
		return oneOf, at
	default:
		return nothing, time.Time{}
	}
}

// done returns the recovery after deliveries were brought forward.
func (r recovery) done(what forward, now time.Time) recovery {
	r.anew = false
	if what != allOf {
		// The trial's end says more; without one, nothing waits.
		return r
	}
	quiet := r.gap == 0 || now.Sub(r.released) > 4*r.gap
	if r.gap = min(maxRelease, 2*r.gap); quiet {
		r.gap = minRelease
	}
	r.owed, r.released = false, now
	return r
}
