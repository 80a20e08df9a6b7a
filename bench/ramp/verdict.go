// SPDX-License-Identifier: Apache-2.0

package ramp

import (
	"fmt"
	"time"
)

// What must hold of a run.
const (
	// MaxStarved is for how many seconds, one after the other, nothing may be told
	// while there is something to tell.
	MaxStarved = 2
	// MaxAge limits the age of what is told once the load is low again, in the last
	// twentieth of the ramp and after it, in milliseconds.
	MaxAge = 2000
	// Unfair is how many times as old as the median of any second a change may be when it
	// is told, besides MaxAge: all wait when there is too much to tell, and none waits
	// for long when others do not.
	Unfair = 1.5
	// SwingDepth is how far the told rate must turn around for a swing, as a part of
	// its median.
	SwingDepth = 0.3
	// smoothing is over how many seconds a rate is averaged before its swings count.
	smoothing = 5
)

// MaxSwings is how often the told rate may turn around in a plateau of so many seconds. A
// dip, as when the queue's tables are merged, makes two swings at most; a rate that goes up
// and down every 45 seconds makes more than these within two minutes.
func MaxSwings(plateau int) int { return 2 + plateau/45 }

// Starved returns for how many seconds at most, one after the other, nothing was told
// although changes waited for it.
func Starved(seconds []Second) int {
	longest, length, untold := 0, 0, 0
	for _, s := range seconds {
		waits := untold > 0 || s.Accepted > 0
		if untold = s.Untold; waits && s.Told == 0 {
			length++
		} else {
			length = 0
		}
		longest = max(longest, length)
	}
	return longest
}

// Oldest returns the largest age, in milliseconds.
func Oldest(seconds []Second) float64 {
	oldest := 0.0
	for _, s := range seconds {
		for _, age := range s.Ages {
			oldest = max(oldest, age)
		}
	}
	return oldest
}

// Plateau returns the seconds in which more is wanted than is ever accepted, but in a
// tenth of the seconds: there the machine is at its limit, and nothing but the load's own
// dynamics moves the told rate. If all is accepted that is wanted, it is where the ramp
// is highest.
func (r Run) Plateau() []Second {
	ramp := r.during(0, r.Shape.Lasts)
	most := quantile(each(ramp, accepted), 0.9)
	first, end := len(ramp), 0
	for i := range ramp {
		if r.Shape.Rate(time.Duration(i)*time.Second) >= most {
			first, end = min(first, i), i+1
		}
	}
	return ramp[min(first, end):end]
}

// Swings returns how often a rate, once smoothed, turns around by more than a given depth:
// how often its slope changes sign, if smaller moves are no slope. The first move is no
// turn, so a rate that has one dip has one swing.
func Swings(rate []float64, depth float64) int {
	rate = smooth(rate, smoothing)
	if len(rate) == 0 {
		return 0
	}
	swings, direction := 0, 0
	low, high := rate[0], rate[0]
	for _, value := range rate {
		low, high = min(low, value), max(high, value)
		switch {
		case direction >= 0 && value < high-depth:
			swings += direction // the first leg is no turn
			direction, low = -1, value
		case direction <= 0 && value > low+depth:
			swings -= direction
			direction, high = 1, value
		}
	}
	return swings
}

// smooth returns the mean of so many values around each, of fewer at the ends.
func smooth(values []float64, width int) []float64 {
	smoothed := make([]float64, len(values))
	for i := range values {
		around := values[max(0, i-width/2):min(len(values), i+width/2+1)]
		for _, value := range around {
			smoothed[i] += value / float64(len(around))
		}
	}
	return smoothed
}

// Finding is one thing that must hold of a run, and whether it does.
type Finding struct {
	Holds bool
	// Says what was found, with the bound.
	Says string
}

// Findings returns all that must hold of a run.
func (r Run) Findings() []Finding {
	starved := Starved(r.Seconds)
	back := r.Shape.Lasts - r.Shape.Lasts/20
	oldest := Oldest(r.during(back, time.Duration(len(r.Seconds))*time.Second))
	whole, late := Oldest(r.Seconds), 0.0
	for _, s := range r.Seconds {
		late = max(late, quantile(s.Ages, 0.5))
	}
	plateau := r.Plateau()
	rates := each(plateau, told)
	level := quantile(rates, 0.5)
	swings, allowed := Swings(rates, SwingDepth*level), MaxSwings(len(plateau))
	kept := Finding{true, fmt.Sprintf("G1 to G5: %d changes, %d events, nothing lost, invented, doubled or out of order", r.Changes, r.Events)}
	if len(r.Broken) > 0 {
		kept = Finding{false, fmt.Sprintf("promises: %d broken", len(r.Broken))}
	}
	hanging := Starved(r.during(r.Troubled.From, r.Troubled.To))
	untold := 0
	if len(r.Seconds) > 0 {
		untold = r.Seconds[len(r.Seconds)-1].Untold
	}
	return []Finding{
		kept,
		{
			r.Troubled.Hung > 0 && r.Troubled.Events > 0 && hanging <= MaxStarved,
			fmt.Sprintf("G11: a second receiver left %d deliveries unanswered from %s to %s, while the first was told nothing for %d s at most (≤ %d); it got %d events in the end",
				r.Troubled.Hung, minutes(r.Troubled.From), minutes(r.Troubled.To), hanging, MaxStarved, r.Troubled.Events),
		},
		{
			starved <= MaxStarved && untold == 0,
			fmt.Sprintf("starvation: nothing was told for %d s at most while something waited (≤ %d); %d changes untold in the end (0)", starved, MaxStarved, untold),
		},
		{
			oldest <= MaxAge,
			fmt.Sprintf("recovery: with the load low again, no change was older than %s ms when it was told (≤ %d)", figure(oldest), MaxAge),
		},
		{
			whole <= MaxAge+Unfair*late,
			fmt.Sprintf("fairness: no change was older than %s ms when it was told (≤ %s, as the median of a second reached %s)",
				figure(whole), figure(MaxAge+Unfair*late), figure(late)),
		},
		{
			swings <= allowed,
			fmt.Sprintf("oscillation: the told rate turned around %d times by %.0f %% in a plateau of %d s at %s/s (≤ %d)",
				swings, SwingDepth*100, len(plateau), figure(level), allowed),
		},
	}
}
