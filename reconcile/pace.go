// SPDX-License-Identifier: Apache-2.0

package reconcile

import "time"

// pace tells from how long Shows take whether their number slows the API down.
type pace struct {
	// recent is the mean of the last few Shows, in seconds, and usual what it was in the
	// last minutes: it follows at once what is shorter, and slowly what is longer.
	recent, usual float64
	// at is when the last Show came.
	at time.Time
	// since counts the Shows since the last time that there were too many.
	since int
}

const (
	// slower is how much longer than usual Shows take, by a factor and besides, where
	// there are too many at once. Small differences are the network's, or the
	// processor's that all share.
	slower     = 2
	slowerThan = 50 * time.Millisecond
	// usualFor is about how long it takes until what is longer is usual.
	usualFor = 5 * time.Minute
)

// note takes how long a Show took of several at once, and reports whether there are too
// many: once for as many Shows as are under way, as the others were asked for before.
func (p *pace) note(took time.Duration, underWay int, now time.Time) (tooMany bool) {
	seconds := took.Seconds()
	passed := min(now.Sub(p.at), usualFor)
	p.at = now
	if p.usual == 0 {
		p.recent, p.usual = seconds, seconds
	}
	p.recent += (seconds - p.recent) / 8
	p.usual = min(p.recent, p.usual+(p.recent-p.usual)*passed.Seconds()/usualFor.Seconds())
	p.since++
	if p.recent <= slower*p.usual+slowerThan.Seconds() || p.since <= underWay {
		return false
	}
	p.since = 0
	return true
}
