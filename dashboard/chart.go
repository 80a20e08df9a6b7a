// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"fmt"
	"math"
	"time"
)

// chart is figures over time, as a picture and as a table. The table is the truth: the
// picture has the same figures, and says in its title what there is to see.
type chart struct {
	// ID names it within its page.
	ID, Heading, Unit, Title string
	Grid                     []gridLine
	Labels                   []chartLabel
	Bars                     []bar
	Lines                    []segment
	Dots                     []dot
	Legend                   []legend
	Columns                  []string
	Rows                     []chartRow
}

// gridLine is a line at a height, with the figure that it stands for; the first is the base.
type gridLine struct {
	Y, Text string
	Base    bool
}

// chartLabel says what time a part is. Minor ones are left out where there is no room.
type chartLabel struct {
	X, Text string
	// At is the time that the text tells, for scripts.
	At    string
	Minor bool
}

// bar, segment and dot are what is drawn, at places in per cent: there is no viewBox, so
// that texts keep their size.
type (
	bar     struct{ Class, X, Y, Width, Height string }
	segment struct{ Class, X1, Y1, X2, Y2 string }
	dot     struct{ Class, X, Y string }
)

// legend says what a colour and a dash stand for. Bar is true for a bar, false for a line.
type legend struct {
	Class, Text string
	Bar         bool
}

// chartRow is what the table says of a part.
type chartRow struct {
	From  clock
	Cells []string
}

// clock is when a part begins.
type clock struct{ Machine, Exact, Words string }

// figure is one number of a part. One that is not known is not drawn.
type figure struct {
	at    time.Time
	known bool
	// values are one for each series.
	values []float64
}

// The picture's sides, in per cent: left of it stand the figures of the grid, below it the
// times.
const (
	chartLeft, chartWidth = 10.0, 89.0
	chartTop, chartBase   = 7.0, 91.0
	// barShare is how much of a part is its bar, and barGap lies between two on each other.
	barShare, barGap = .7, .5
	// maxGrid is how many lines there are above the base.
	maxGrid = 4
)

func percent(value float64) string { return fmt.Sprintf("%.2f%%", value) }

// scale returns a step of the grid, 1, 2 or 5 times a power of ten, so that few steps reach a
// figure.
func scale(highest float64) (step float64, steps int) {
	if highest <= 0 || math.IsInf(highest, 0) || math.IsNaN(highest) {
		return 1, 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(highest/maxGrid)))
	for _, times := range []float64{1, 2, 5, 10} {
		step = unit * times
		if steps = int(math.Ceil(highest/step - 1e-9)); steps <= maxGrid {
			break
		}
	}
	return step, max(steps, 1)
}

// axes draws the grid, and the times below it.
func (c *chart) axes(figures []figure, highest float64, write func(float64) string) (height func(float64) float64) {
	step, steps := scale(highest)
	top := step * float64(steps)
	height = func(value float64) float64 { return value / top * (chartBase - chartTop) }
	for i := range steps + 1 {
		line := gridLine{Y: percent(chartBase - height(step*float64(i))), Base: i == 0}
		if i > 0 {
			line.Text = write(step * float64(i))
		}
		c.Grid = append(c.Grid, line)
	}
	for i := range figures {
		at := figures[i].at
		c.Labels = append(c.Labels, chartLabel{percent(middle(i, len(figures))), at.UTC().Format("15:04"), momentOf(at, at).Machine, i%3 != 0})
	}
	return height
}

// middle returns where the middle of a part is.
func middle(i, n int) float64 { return chartLeft + (float64(i)+.5)*chartWidth/float64(n) }

// table writes the figures.
func (c *chart) table(figures []figure, write func(float64) string) {
	for i := range figures {
		f := &figures[i]
		made := momentOf(f.at, f.at)
		row := chartRow{From: clock{made.Machine, made.Exact, f.at.UTC().Format("15:04")}}
		for _, value := range f.values {
			if f.known {
				row.Cells = append(row.Cells, write(value))
			} else {
				row.Cells = append(row.Cells, uncounted)
			}
		}
		c.Rows = append(c.Rows, row)
	}
}

// barClasses and lineClasses are those of the first and of the second series.
var (
	barClasses  = []string{"bar", "bar-bad"}
	lineClasses = []string{"p50", "p95"}
	dotClasses  = []string{"dot50", "dot95"}
)

// bars draws the series on top of each other.
func (c *chart) bars(figures []figure, names []string, write func(float64) string) {
	highest := 0.0
	for i := range figures {
		sum := 0.0
		for _, value := range figures[i].values {
			sum += value
		}
		highest = max(highest, sum)
	}
	height := c.axes(figures, highest, write)
	width := chartWidth / float64(len(figures)) * barShare
	for i := range figures {
		at := chartBase
		for of, value := range figures[i].values {
			if !figures[i].known || value <= 0 {
				continue
			}
			tall := max(height(value), barGap) // what is there is seen
			c.Bars = append(c.Bars, bar{barClasses[of], percent(middle(i, len(figures)) - width/2), percent(at - tall), percent(width), percent(tall)})
			at -= tall + barGap
		}
	}
	c.legend(names, barClasses, true)
	c.table(figures, write)
}

// lines draws each series as a line with dots, broken where nothing is known.
func (c *chart) lines(figures []figure, names []string, write func(float64) string) {
	highest := 0.0
	for i := range figures {
		for _, value := range figures[i].values {
			highest = max(highest, value)
		}
	}
	height := c.axes(figures, highest, write)
	for of := range names {
		for i := range figures {
			if !figures[i].known {
				continue
			}
			x, y := percent(middle(i, len(figures))), percent(chartBase-height(figures[i].values[of]))
			c.Dots = append(c.Dots, dot{dotClasses[of], x, y})
			if i > 0 && figures[i-1].known {
				c.Lines = append(c.Lines, segment{lineClasses[of], percent(middle(i-1, len(figures))), percent(chartBase - height(figures[i-1].values[of])), x, y})
			}
		}
	}
	c.legend(names, lineClasses, false)
	c.table(figures, write)
}

func (c *chart) legend(names, classes []string, isBar bool) {
	for i, name := range names {
		c.Legend = append(c.Legend, legend{classes[i], name, isBar})
		c.Columns = append(c.Columns, sentenceStart(name))
	}
}

// finding returns what there is to see of one series: between what it lies, and when it is
// highest.
func finding(figures []figure, of int, write func(float64) string) string {
	lowest, highest, known := math.Inf(1), math.Inf(-1), false
	var at time.Time
	for i := range figures {
		if f := &figures[i]; f.known {
			known = true
			lowest = min(lowest, f.values[of])
			if f.values[of] > highest {
				highest, at = f.values[of], f.at
			}
		}
	}
	switch {
	case !known:
		return "nothing is known yet"
	case lowest == highest:
		return write(highest) + " throughout"
	}
	return fmt.Sprintf("between %s and %s, the most from %s", write(lowest), write(highest), at.UTC().Format("15:04 UTC"))
}
