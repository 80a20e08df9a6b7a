// SPDX-License-Identifier: Apache-2.0

package ramp

import (
	"math"
	"testing"
	"time"
)

func TestRate(t *testing.T) {
	shape := Shape{Low: 10, High: 10_000, Lasts: 600 * time.Second}
	for _, test := range []struct {
		at   time.Duration
		want float64
	}{
		{-1, 0},
		{0, 10},
		{100 * time.Second, 100},
		{200 * time.Second, 1000},
		{300 * time.Second, 10_000},
		{400 * time.Second, 1000},
		{600 * time.Second, 10},
		{600*time.Second + 1, 0},
	} {
		if got := shape.Rate(test.at); math.Abs(got-test.want) > test.want/1e9 {
			t.Errorf("at %v: %v a second, want %v", test.at, got, test.want)
		}
	}
}

// TestDue proves that as many changes are due as the rate says.
func TestDue(t *testing.T) {
	shape := Shape{Low: 10, High: 10_000, Lasts: 60 * time.Second}
	if got := shape.Due(-time.Second); got != 0 {
		t.Errorf("%v changes are due before the beginning", got)
	}
	const step = 10 * time.Millisecond
	sum := 0.0
	for at := step; at <= shape.Lasts; at += step {
		sum += shape.Rate(at-step/2) * step.Seconds()
		if got := shape.Due(at); math.Abs(got-sum) > sum/1e4 {
			t.Fatalf("at %v: %v changes are due, and the rates sum up to %v", at, got, sum)
		}
	}
	if end, later := shape.Due(shape.Lasts), shape.Due(2*shape.Lasts); end != later {
		t.Errorf("%v changes are due at the end, and %v later", end, later)
	}
}
