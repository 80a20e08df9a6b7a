// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The grid reaches every figure in few steps of 1, 2 or 5.
func TestScale(t *testing.T) {
	for highest, want := range map[float64]string{0: "1 1", -1: "1 1", math.Inf(1): "1 1", 1: "0.5 2", 3: "1 3", 4: "1 4", 4.1: "2 3", 9: "5 2", 41: "20 3", 468: "200 3", 5490: "2000 3", .03: "0.01 3"} {
		step, steps := scale(highest)
		if got := fmt.Sprintf("%g %d", step, steps); got != want {
			t.Errorf("%v: %s, want %s", highest, got, want)
		}
	}
}

func FuzzScale(f *testing.F) {
	f.Add(7.0)
	f.Fuzz(func(t *testing.T, highest float64) {
		step, steps := scale(highest)
		if steps < 1 || steps > maxGrid || step <= 0 && highest > 1e-300 || highest > 1e-300 && highest < 1e300 && step*float64(steps) < highest*(1-1e-6) {
			t.Errorf("%v: %v, %d", highest, step, steps)
		}
	})
}

// figuresOf returns figures an hour apart; NaN is one that is not known.
func figuresOf(values ...float64) (figures []figure) {
	at := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for i, value := range values {
		known := !math.IsNaN(value)
		if !known {
			value = 0
		}
		figures = append(figures, figure{at.Add(time.Duration(i) * time.Hour), known, []float64{value, value / 2}})
	}
	return figures
}

func value(t *testing.T, text string) float64 {
	t.Helper()
	number, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil {
		t.Fatal(err)
	}
	return number
}

// What is drawn lies within the picture, on the base, and one bar on the other.
func TestBars(t *testing.T) {
	var c chart
	c.bars(figuresOf(10, 0, math.NaN(), 40), []string{"delivered", "failed"}, number)
	if len(c.Bars) != 4 || len(c.Rows) != 4 || len(c.Labels) != 4 || len(c.Legend) != 2 {
		t.Fatalf("it has %+v", c)
	}
	for _, b := range c.Bars {
		if x, y, w, h := value(t, b.X), value(t, b.Y), value(t, b.Width), value(t, b.Height); x < 0 || y < 0 || x+w > 100 || y+h > chartBase+.01 {
			t.Errorf("%+v is outside", b)
		}
	}
	first, on := c.Bars[0], c.Bars[1]
	if first.Class != "bar" || on.Class != "bar-bad" || math.Abs(value(t, first.Y)+value(t, first.Height)-chartBase) > .01 || value(t, on.Y)+value(t, on.Height) >= value(t, first.Y) {
		t.Errorf("%+v, and on it %+v", first, on)
	}
	if got := fmt.Sprint(c.Rows[0].Cells, c.Rows[1].Cells, c.Rows[2].Cells); got != "[10 5] [0 0] [– –]" || c.Rows[1].From.Words != "13:00" {
		t.Errorf("the table has %s", got)
	}
}

// A line is broken where nothing is known.
func TestLines(t *testing.T) {
	var c chart
	c.lines(figuresOf(1, 2, math.NaN(), 4), []string{"a", "b"}, number)
	classes := map[string]int{}
	for _, line := range c.Lines {
		classes[line.Class]++
	}
	if len(c.Dots) != 6 || classes["p50"] != 1 || classes["p95"] != 1 {
		t.Errorf("it has %d dots and %v", len(c.Dots), classes)
	}
	if top := c.Grid[len(c.Grid)-1]; top.Text != "4" || value(t, top.Y) != chartTop || !c.Grid[0].Base || c.Grid[0].Text != "" {
		t.Errorf("the grid is %+v", c.Grid)
	}
	if !slices.Equal(c.Columns, []string{"A", "B"}) {
		t.Errorf("the columns are %q", c.Columns)
	}
}

func TestFinding(t *testing.T) {
	for want, figures := range map[string][]figure{
		"nothing is known yet":                     figuresOf(math.NaN()),
		"3 throughout":                             figuresOf(3, math.NaN(), 3),
		"between 1 and 9, the most from 13:00 UTC": figuresOf(1, 9, 4),
	} {
		if got := finding(figures, 0, number); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestSizes(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 5 << 30: "5.0 GiB", 1 << 60: "1024.0 PiB"} {
		if got := bytesOf(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for s, want := range map[float64]string{0: "0.000", .0042: "0.004", 1.44: "1.4", 86400: "86,400"} {
		if got := secondsOf(s); got != want {
			t.Errorf("%v: %s, want %s", s, got, want)
		}
	}
}
