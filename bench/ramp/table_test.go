// SPDX-License-Identifier: Apache-2.0

package ramp

import (
	"strings"
	"testing"
	"time"
)

func TestPage(t *testing.T) {
	r := saturated()
	r.Seconds = append(r.Seconds, Second{Told: 7, Ages: []float64{1234.4}, Pending: 8, Memory: 301 << 20})
	r.Broken = []string{"steady: lost: items/1"}
	page := r.Page()
	for _, want := range []string{
		"# A ramp of 10m on an API that answers in 20 ms\n",
		"- **missed**: promises: 1 broken\n",
		"- kept: starvation: ",
		"  - steady: lost: items/1\n",
		"](ramp-20ms.svg)",
		"| 10 to 20 | 14 | 14 | 40 | 90 | 25 | 30 | 1 | 300 |\n",
		"| 5,012 to 10,000 | 1,500 | 1,500 | 40 | 90 | 25 | 30 | 150 | 300 |\n",
		"| 20 to 10 | ",
		"| none, until all is told | 0.0 | 7.0 | 1,234 | 1,234 |  |  | 8 | 301 |\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if got, want := strings.Count(page, "\n|"), 2+steps+1; got != want {
		t.Errorf("the table has %d lines, want %d", got, want)
	}
}

// TestShortRun shows a ramp with more steps than seconds, and one of which nothing was seen.
func TestShortRun(t *testing.T) {
	r := saturated()
	r.Shape.Lasts, r.Seconds = 10*time.Second, r.Seconds[:10]
	if got := strings.Count(r.Page(), "\n| "); got != 1+10 {
		t.Errorf("the table has %d lines, want the header and one for each second:\n%s", got, r.Page())
	}
	empty := Run{Shape: r.Shape}
	for _, text := range []string{empty.Page(), empty.Plot()} {
		if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
			t.Errorf("a run of nothing is shown as %s", text)
		}
	}
}

func TestFigure(t *testing.T) {
	for value, want := range map[float64]string{
		0: "0.0", 0.04: "0.0", 1.25: "1.2", 9.94: "9.9", 9.96: "10", 12.4: "12", 999.6: "1,000", 1234567: "1,234,567",
	} {
		if got := figure(value); got != want {
			t.Errorf("%v is written %s, want %s", value, got, want)
		}
	}
}

func TestMinutes(t *testing.T) {
	for d, want := range map[time.Duration]string{
		30 * time.Second: "30s", 10 * time.Minute: "10m", 90 * time.Second: "1m30s", time.Hour: "1h", 200 * time.Second: "3m20s",
	} {
		if got := minutes(d); got != want {
			t.Errorf("%v is written %s, want %s", d, got, want)
		}
	}
}
