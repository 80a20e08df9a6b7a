// SPDX-License-Identifier: Apache-2.0

package ramp

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The picture, in pixels.
const (
	width     = 820
	left      = 64 // of the plots; right is the margin on the other side
	right     = 16
	top       = 44 // of a panel, with its title
	tall      = 150
	panelStep = top + tall
	bottom    = 36
	// maxPoints is how many points a line has at most.
	maxPoints = 600
)

// style has a look for light pages and one for dark ones. The picture has its own
// background, as a page may be dark where the system is not.
const style = `<style>
text{font:12px system-ui,sans-serif;fill:#1f2328}.b{fill:#fff}.g{stroke:#d1d9e0}.l{fill:none;stroke-width:1.5}
.k1{stroke:#6e7781;stroke-dasharray:5 4}.k2{stroke:#0969da}.k3{stroke:#bc4c00}
.n1{fill:#59636e}.n2{fill:#0969da}.n3{fill:#bc4c00}.t{font-weight:600}.e{text-anchor:end}.m{text-anchor:middle}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.b{fill:#0d1117}.g{stroke:#3d444d}
.k1{stroke:#9198a1}.k2{stroke:#58a6ff}.k3{stroke:#f0883e}.n1{fill:#9198a1}.n2{fill:#58a6ff}.n3{fill:#f0883e}}
</style>
`

// panel is a plot with a logarithmic axis, which has only whole decades.
type panel struct {
	title string
	// low is the least value that is shown.
	low   float64
	lines []line
}

// line is a line of a panel. A value that is no number is a gap.
type line struct {
	name, colour string
	values       []float64
	// merge makes one value of several where there are too many.
	merge func([]float64) float64
}

// Plot returns a picture of a run: rates, ages and the clients' latencies over time.
func (r Run) Plot() string {
	wanted := make([]float64, len(r.Seconds))
	for i := range wanted {
		begin := time.Duration(i) * time.Second
		if wanted[i] = r.Shape.Due(begin+time.Second) - r.Shape.Due(begin); wanted[i] == 0 {
			wanted[i] = math.NaN()
		}
	}
	quantiles := func(of func(Second) []float64) []line {
		at := func(q float64) []float64 {
			return each(r.Seconds, func(s Second) float64 {
				if len(of(s)) == 0 {
					return math.NaN()
				}
				return quantile(of(s), q)
			})
		}
		return []line{{"median", "2", at(0.5), highest}, {"99th percentile", "3", at(0.99), highest}}
	}
	panels := []panel{
		{"Changes a second", 1, []line{
			{"wanted", "1", wanted, lowest},
			{"accepted", "2", each(r.Seconds, accepted), lowest},
			{"told", "3", each(r.Seconds, told), lowest},
		}},
		{"Age of changes when told, ms", 1, quantiles(func(s Second) []float64 { return s.Ages })},
		{"Clients' latency, ms", 1, quantiles(func(s Second) []float64 { return s.Latencies })},
	}
	height := len(panels)*panelStep + bottom
	var svg strings.Builder
	fmt.Fprintf(&svg, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img"><title>A ramp of %s on an API that answers in %s</title>`+"\n",
		width, height, minutes(r.Shape.Lasts), spaced(r.API))
	svg.WriteString(style)
	fmt.Fprintf(&svg, `<rect class="b" width="%d" height="%d"/>`+"\n", width, height)
	for i, p := range panels {
		p.draw(&svg, i*panelStep+top)
	}
	times(&svg, len(r.Seconds), len(panels)*panelStep)
	svg.WriteString("</svg>\n")
	return svg.String()
}

// draw draws a panel whose plot begins at a height.
func (p panel) draw(svg *strings.Builder, y int) {
	fmt.Fprintf(svg, `<text class="t" x="%d" y="%d">%s</text>`, left, y-12, p.title)
	decades := p.decades()
	for d := range decades + 1 {
		at := y + tall - d*tall/decades
		fmt.Fprintf(svg, `<path class="g" d="M%d %dH%d"/><text class="e" x="%d" y="%d">%s</text>`,
			left, at, width-right, left-8, at+4, tick(p.low*math.Pow10(d)))
	}
	svg.WriteByte('\n')
	at := width - right
	for i := len(p.lines) - 1; i >= 0; i-- {
		l := p.lines[i]
		fmt.Fprintf(svg, `<text class="e n%s" x="%d" y="%d">%s</text>`, l.colour, at, y-12, l.name)
		at -= 8*len(l.name) + 16
	}
	svg.WriteByte('\n')
	for _, l := range p.lines {
		fmt.Fprintf(svg, `<path class="l k%s" d="%s"/>`+"\n", l.colour, p.path(l, y, decades))
	}
}

// decades returns how many decades the panel's values take.
func (p panel) decades() int {
	most := p.low * 10
	for _, l := range p.lines {
		for _, value := range l.values {
			if value > most { // not if it is no number
				most = value
			}
		}
	}
	return int(math.Ceil(math.Log10(most/p.low) - 1e-9))
}

// path returns the commands that draw a line.
func (p panel) path(l line, y, decades int) string {
	values := thin(l.values, maxPoints, l.merge)
	var path strings.Builder
	next := byte('M')
	for i, value := range values {
		if math.IsNaN(value) {
			next = 'M'
			continue
		}
		x := left + float64(i)*float64(width-left-right)/float64(max(len(values)-1, 1))
		up := math.Log10(max(value, p.low)/p.low) / float64(decades)
		path.WriteByte(next)
		path.WriteString(coordinate(x) + " " + coordinate(float64(y)+float64(tall)*(1-up)))
		next = 'L'
	}
	return path.String()
}

// thin returns so many values at most, each merged of several; gaps count only among
// gaps.
func thin(values []float64, most int, merge func([]float64) float64) []float64 {
	size := (len(values) + most - 1) / most
	if size <= 1 {
		return values
	}
	var thinned []float64
	for from := 0; from < len(values); from += size {
		var some []float64
		for _, value := range values[from:min(from+size, len(values))] {
			if !math.IsNaN(value) {
				some = append(some, value)
			}
		}
		if len(some) == 0 {
			thinned = append(thinned, math.NaN())
			continue
		}
		thinned = append(thinned, merge(some))
	}
	return thinned
}

// lowest and highest are how points are merged: so that what is bad stays seen.
func lowest(values []float64) float64 { return slices.Min(values) }

func highest(values []float64) float64 { return slices.Max(values) }

// times draws the axis of the time, in minutes or seconds, below the panels.
func times(svg *strings.Builder, seconds, y int) {
	step := 1
	for _, step = range []int{1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600} {
		if seconds/step <= 12 {
			break
		}
	}
	for at := 0; at < max(seconds, 1); at += step {
		label := strconv.Itoa(at) + " s"
		if step >= 60 {
			label = strconv.Itoa(at/60) + " min"
		}
		x := left + float64(at)*(width-left-right)/float64(max(seconds-1, 1))
		fmt.Fprintf(svg, `<text class="m" x="%s" y="%d">%s</text>`, coordinate(x), y+20, label)
	}
	svg.WriteByte('\n')
}

// tick writes a value of an axis.
func tick(value float64) string {
	if value >= 1000 {
		return strconv.FormatFloat(value/1000, 'f', -1, 64) + "k"
	}
	return strconv.FormatFloat(value, 'f', -1, 64)
}

// coordinate writes a coordinate, with a tenth of a pixel if it has one.
func coordinate(value float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(value, 'f', 1, 64), ".0")
}
