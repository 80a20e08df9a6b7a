// SPDX-License-Identifier: Apache-2.0

package ramp

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// seconds returns seconds of which each told and untold figure is given in turn.
func seconds(toldUntold ...[2]int) []Second {
	var made []Second
	for _, s := range toldUntold {
		made = append(made, Second{Told: s[0], Untold: s[1]})
	}
	return made
}

func TestStarved(t *testing.T) {
	for _, test := range []struct {
		name    string
		seconds []Second
		want    int
	}{
		{"nothing", nil, 0},
		{"nothing to tell", seconds([2]int{0, 0}, [2]int{0, 0}, [2]int{5, 0}), 0},
		{"all is told", seconds([2]int{5, 1}, [2]int{6, 0}, [2]int{0, 0}), 0},
		{"one second", seconds([2]int{5, 1}, [2]int{0, 9}, [2]int{6, 0}), 1},
		{"twice", seconds([2]int{5, 1}, [2]int{0, 9}, [2]int{6, 3}, [2]int{0, 9}, [2]int{0, 9}, [2]int{0, 9}, [2]int{1, 9}), 3},
		{"to the end", seconds([2]int{5, 1}, [2]int{0, 1}, [2]int{0, 1}), 2},
		{"accepted and not told", []Second{{Accepted: 5}, {Accepted: 5}, {Accepted: 5, Told: 5}}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Starved(test.seconds); got != test.want {
				t.Errorf("%d seconds, want %d", got, test.want)
			}
		})
	}
}

// wave is a rate around 1,000 that goes up and down by a part, with a period in seconds.
func wave(length int, period, part float64) []float64 {
	rate := make([]float64, length)
	for i := range rate {
		rate[i] = 1000 * (1 + part*math.Sin(2*math.Pi*float64(i)/period))
	}
	return rate
}

func TestSwings(t *testing.T) {
	dip := wave(150, 1, 0)
	for i := 70; i < 80; i++ {
		dip[i] = 200
	}
	short := wave(150, 1, 0)
	short[70] = 0
	climb := make([]float64, 150)
	for i := range climb {
		climb[i] = 500 + 10*float64(i)
	}
	for _, test := range []struct {
		name string
		rate []float64
		want int
	}{
		{"nothing", nil, 0},
		{"even", wave(150, 1, 0), 0},
		{"small waves", wave(150, 20, 0.1), 0},
		{"waves of twenty seconds", wave(148, 20, 0.5), 14},
		{"waves of a minute", wave(150, 60, 0.5), 5},
		{"waves of two seconds are noise", wave(150, 2.2, 0.3), 0},
		{"one dip", dip, 1},
		{"one second without anything", short, 0},
		{"only upwards", climb, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Swings(test.rate, 300); got != test.want {
				t.Errorf("%d swings, want %d", got, test.want)
			}
		})
	}
}

// saturated is a run in which the API never takes more than 1,500 changes a second, and all
// is told in the second in which it was accepted.
func saturated() Run {
	r := Run{
		API: 20 * time.Millisecond, Shape: Shape{Low: 10, High: 10_000, Lasts: 600 * time.Second}, Changes: 5, Events: 4,
		Troubled: Troubled{From: 200 * time.Second, To: 400 * time.Second, Hung: 3, Events: 2},
	}
	for i := range 600 {
		n := int(min(r.Shape.Rate(time.Duration(i)*time.Second), 1500))
		r.Seconds = append(r.Seconds, Second{
			Accepted: n, Told: n, Ages: []float64{40, 40, 90}, Latencies: []float64{25, 25, 30}, Pending: n / 10, Memory: 300 << 20,
		})
	}
	return r
}

func TestPlateau(t *testing.T) {
	if got := len(saturated().Plateau()); got < 160 || got > 168 {
		t.Errorf("a plateau of %d seconds, and more than 1,500 are wanted in 164", got)
	}
	all := saturated()
	for i := range all.Seconds {
		all.Seconds[i].Accepted = int(all.Shape.Rate(time.Duration(i) * time.Second))
	}
	if got := len(all.Plateau()); got < 55 || got > 65 {
		t.Errorf("a plateau of %d seconds, want the tenth with the highest rate", got)
	}
	if got := (Run{}).Plateau(); len(got) > 0 {
		t.Errorf("a run of nothing has a plateau of %d seconds", len(got))
	}
}

// TestFindings proves that each finding can be wrong.
func TestFindings(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Run)
		missed string // the beginning of the only finding that does not hold, "" for none
	}{
		{"as it should be", func(*Run) {}, ""},
		{"a promise is broken", func(r *Run) { r.Broken = []string{"lost"} }, "promises: 1 broken"},
		{"the second receiver did not hang", func(r *Run) { r.Troubled.Hung = 0 }, "G11"},
		{"the second receiver got nothing", func(r *Run) { r.Troubled.Events = 0 }, "G11"},
		{"nothing is told for three seconds", func(r *Run) { silence(r.Seconds[150:153]) }, "starvation: nothing was told for 3 s"},
		{"nothing is told for two seconds", func(r *Run) { silence(r.Seconds[150:152]) }, ""},
		{"something is never told", func(r *Run) { r.Seconds[599].Untold = 1 }, "starvation: nothing was told for 0 s at most while something waited (≤ 2); 1 changes untold"},
		{"old in the end", func(r *Run) { r.Seconds[590].Ages = []float64{5, 2001} }, "recovery"},
		{"old before", func(r *Run) { r.Seconds[500].Ages = []float64{5, 2001} }, ""},
		{"older than others", func(r *Run) { r.Seconds[500].Ages = []float64{5, 5, 2061} }, "fairness"},
		{"as old as others", func(r *Run) { r.Seconds[500].Ages = []float64{2000, 2000, 2061} }, ""},
		{"up and down", func(r *Run) {
			for i := range r.Seconds {
				if i/10%2 == 0 {
					r.Seconds[i].Told /= 3
				}
			}
		}, "oscillation"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := saturated()
			test.change(&r)
			missed := slices.DeleteFunc(r.Findings(), func(f Finding) bool { return f.Holds })
			switch {
			case test.missed == "" && len(missed) > 0:
				t.Errorf("missed %v, want none", missed)
			case test.missed != "" && (len(missed) != 1 || !strings.HasPrefix(missed[0].Says, test.missed)):
				t.Errorf("missed %v, want %q", missed, test.missed)
			}
		})
	}
	silent := saturated()
	silence(silent.Seconds[250:253])
	missed := slices.DeleteFunc(silent.Findings(), func(f Finding) bool { return f.Holds })
	if len(missed) != 2 || !strings.HasPrefix(missed[0].Says, "G11") {
		t.Errorf("missed %v, want G11 and starvation when the first receiver is told nothing while the second hangs", missed)
	}
}

func silence(seconds []Second) {
	for i := range seconds {
		seconds[i].Told = 0
	}
}
