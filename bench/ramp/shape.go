// SPDX-License-Identifier: Apache-2.0

// Package ramp holds the judgement of a load that rises and falls: its shape, what was
// seen in each second, what must hold of that, and how it is shown. It does no I/O and
// uses no clock.
package ramp

import (
	"math"
	"time"
)

// Shape is a load that rises from Low to High and falls back again, by the same factor in
// the same time.
type Shape struct {
	Low, High float64 // changes a second
	Lasts     time.Duration
}

// Rate returns how many changes a second are wanted at a time since the beginning.
func (s Shape) Rate(at time.Duration) float64 {
	if at < 0 || at > s.Lasts {
		return 0
	}
	half := s.Lasts.Seconds() / 2
	up := 1 - math.Abs(at.Seconds()-half)/half
	return s.Low * math.Pow(s.High/s.Low, up)
}

// Due returns how many changes are wanted up to a time since the beginning.
func (s Shape) Due(at time.Duration) float64 {
	at = min(max(at, 0), s.Lasts)
	if at > s.Lasts/2 {
		return 2*s.rising(s.Lasts/2) - s.rising(s.Lasts-at)
	}
	return s.rising(at)
}

// rising is Due in the half in which the load rises: the integral of Rate.
func (s Shape) rising(at time.Duration) float64 {
	half := s.Lasts.Seconds() / 2
	growth := math.Log(s.High/s.Low) / half
	return s.Low * math.Expm1(growth*at.Seconds()) / growth
}
