// SPDX-License-Identifier: Apache-2.0

package emitter

import "time"

const (
	// tripAfter is how many attempts in a row must find a receiver down before
	// it is left alone for a while. A few may fail together when a receiver
	// restarts.
	tripAfter = 5
	// minRest is how long a receiver is left alone at first. Each time a trial
	// fails, the rest doubles, up to maxRest. So it takes at most maxRest, and
	// one attempt, to find that a receiver works again.
	minRest = time.Second
	maxRest = time.Minute
	// maxHold limits the pause that a receiver can ask for.
	maxHold = time.Hour
)

// breaker decides how many attempts a receiver may have in flight. It shuts off
// a receiver that is down, tries it with one attempt at a time, and once that
// succeeds lets more through, one more with each success: a receiver that comes
// back does not get the whole backlog at once. A receiver that asks for fewer
// attempts gets half.
//
// It is a value: each method returns the next breaker, and nothing is shared.
type breaker struct {
	// limit is how many attempts may be in flight, at most the endpoint's
	// concurrency; 0 means the concurrency itself.
	limit int
	// row counts the attempts in a row that found the receiver down.
	row int
	// rests counts how often the receiver was shut off since it last answered,
	// and tripped is when it last was. Attempts that began earlier say nothing
	// new.
	rests   int
	tripped time.Time
	// until is when the next attempt may begin.
	until time.Time
}

// finished is an attempt that ended, with what a breaker needs of it.
type finished struct {
	ruling
	began, ended time.Time
	// reason says in words why the attempt failed, if it did.
	reason string
	// asked is the pause that the receiver asked for, jitter a number in [0,
	// 1).
	asked  time.Duration
	jitter float64
}

// after returns the breaker after an attempt, for an endpoint with a given
// concurrency.
func (b breaker) after(f finished, concurrency int) breaker {
	if !f.down {
		return b.answered(concurrency)
	}
	if f.throttled {
		b.limit = max(1, b.allowed(concurrency)/2)
		if hold := f.ended.Add(min(f.asked, maxHold)); f.asked > 0 && hold.After(b.until) {
			b.until = hold
		}
	}
	if !f.began.After(b.tripped) {
		return b
	}
	b.row++
	if b.row < tripAfter && b.rests == 0 {
		return b
	}
	rest := maxRest
	if b.rests < 16 { // beyond, shifting would overflow
		rest = min(maxRest, minRest<<b.rests)
	}
	b.limit, b.rests, b.tripped = 1, b.rests+1, f.ended
	if until := f.ended.Add(time.Duration(float64(rest) * (1 - spread + 2*spread*f.jitter))); until.After(b.until) {
		b.until = until
	}
	return b
}

// answered returns the breaker after an attempt that the receiver answered,
// with success or with a refusal of this one event.
func (b breaker) answered(concurrency int) breaker {
	limit := b.limit
	if limit > 0 {
		limit++
	}
	if limit >= concurrency {
		limit = 0
	}
	// A receiver that asked for a pause gets it, whatever else it answers
	// meanwhile.
	return breaker{limit: limit, until: b.until}
}

// allowed returns how many attempts may be in flight.
func (b breaker) allowed(concurrency int) int {
	if b.limit == 0 || b.limit > concurrency {
		return concurrency
	}
	return b.limit
}

// allow returns the breaker of a receiver that is to be tried whatever is known of
// it: one attempt at first, and one more with each success.
func (b breaker) allow(now time.Time) breaker {
	if !b.open() && b.wait(now) == 0 {
		return b
	}
	return breaker{limit: 1}
}

// wait returns how long to wait before an attempt may begin.
func (b breaker) wait(now time.Time) time.Duration {
	return max(0, b.until.Sub(now))
}

// open reports whether the receiver was found down and has not answered since.
func (b breaker) open() bool {
	return b.rests > 0
}
