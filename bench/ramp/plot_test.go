// SPDX-License-Identifier: Apache-2.0

package ramp

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestPlot checks that a picture is XML, small, and draws nothing outside itself.
func TestPlot(t *testing.T) {
	long := saturated()
	long.Seconds = slices.Concat(long.Seconds, long.Seconds, long.Seconds, []Second{{Ages: []float64{1e6}, Latencies: []float64{0.01}}})
	for name, r := range map[string]Run{"ten minutes": saturated(), "much longer": long, "one second": {Seconds: saturated().Seconds[:1]}} {
		t.Run(name, func(t *testing.T) {
			svg := r.Plot()
			if len(svg) > 60<<10 {
				t.Errorf("the picture has %d bytes", len(svg))
			}
			for _, want := range []string{"prefers-color-scheme:dark", "Changes a second", "Age of changes when told", "latency", "wanted", "accepted", "told", "99th percentile"} {
				if !strings.Contains(svg, want) {
					t.Errorf("the picture lacks %q", want)
				}
			}
			lines := 0
			decoder := xml.NewDecoder(strings.NewReader(svg))
			for {
				token, err := decoder.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if element, ok := token.(xml.StartElement); ok && element.Name.Local == "path" {
					lines += inside(t, element)
				}
			}
			if lines != 7 {
				t.Errorf("the picture has %d lines, want 7", lines)
			}
		})
	}
}

var point = regexp.MustCompile(`[ML]([-0-9.]+) ([-0-9.]+)`)

// inside checks the points of a path, and returns how many lines it is.
func inside(t *testing.T, path xml.StartElement) (lines int) {
	t.Helper()
	for _, attribute := range path.Attr {
		switch attribute.Name.Local {
		case "class":
			lines = strings.Count(attribute.Value, "l k")
		case "d":
			for _, at := range point.FindAllStringSubmatch(attribute.Value, -1) {
				x, errX := strconv.ParseFloat(at[1], 64)
				y, errY := strconv.ParseFloat(at[2], 64)
				if errX != nil || errY != nil || x < left || x > width-right || y < top || y > 3*panelStep {
					t.Fatalf("the point %s is outside", at[0])
				}
			}
		}
	}
	return lines
}

// TestPath shows where a line is drawn: by decades, with gaps, from the least value on.
func TestPath(t *testing.T) {
	p := panel{low: 1, lines: []line{{values: []float64{1, 10, math.NaN(), 100, 0}, merge: lowest}}}
	if got := p.decades(); got != 2 {
		t.Fatalf("%d decades, want 2", got)
	}
	if got, want := p.path(p.lines[0], 0, 2), "M64 150L249 75M619 0L804 150"; got != want {
		t.Errorf("the line is %s, want %s", got, want)
	}
}

func TestThin(t *testing.T) {
	none := math.NaN()
	got := thin([]float64{5, 3, none, 8, none, none, 1}, 4, lowest)
	want := []float64{3, 8, none, 1}
	if len(got) != len(want) {
		t.Fatalf("thinned to %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] && !(math.IsNaN(got[i]) && math.IsNaN(want[i])) {
			t.Errorf("thinned to %v, want %v", got, want)
		}
	}
	if got := thin([]float64{1, 2}, 2, highest); len(got) != 2 {
		t.Errorf("thinned to %v, and there was room", got)
	}
}
