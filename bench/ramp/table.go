// SPDX-License-Identifier: Apache-2.0

package ramp

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// steps is the number of a table's rows: half of them for the load that rises, half for
// the load that falls.
const steps = 20

// Name is what the files of a run are called, without their endings.
func (r Run) Name() string { return "ramp-" + r.API.String() }

// Page returns the run in Markdown: what was found, the plot, and a row for each step of
// the ramp.
func (r Run) Page() string {
	var page strings.Builder
	fmt.Fprintf(&page, "# A ramp of %s on an API that answers in %s\n\n", minutes(r.Shape.Lasts), spaced(r.API))
	fmt.Fprintf(&page, "Written by `make ramp`; [performance.md](../performance.md#a-ramp) explains it.\n\n")
	for _, f := range r.Findings() {
		verdict := "kept"
		if !f.Holds {
			verdict = "**missed**"
		}
		fmt.Fprintf(&page, "- %s: %s\n", verdict, f.Says)
	}
	for _, broken := range r.Broken {
		fmt.Fprintf(&page, "  - %s\n", broken)
	}
	fmt.Fprintf(&page, "\n![Rates, ages and latencies](%s.svg)\n\n", r.Name())
	page.WriteString("| wanted/s | accepted/s | told/s | age, ms: median | p99 | clients, ms: median | p99 | pending | MiB |\n")
	page.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for step := range steps {
		from, to := r.Shape.Lasts*time.Duration(step)/steps, r.Shape.Lasts*time.Duration(step+1)/steps
		page.WriteString(r.row(from, to))
	}
	if after := r.during(r.Shape.Lasts, time.Duration(len(r.Seconds))*time.Second); len(after) > 0 {
		page.WriteString(cells("none, until all is told", after))
	}
	return page.String()
}

// row returns the row of the seconds that begin in a step.
func (r Run) row(from, to time.Duration) string {
	seconds := r.during(from, to)
	if len(seconds) == 0 { // a short ramp has steps without any
		return ""
	}
	return cells(fmt.Sprintf("%s to %s", figure(r.Shape.Rate(from)), figure(r.Shape.Rate(to))), seconds)
}

// cells returns a row with the figures of some seconds.
func cells(name string, seconds []Second) string {
	var ages, latencies []float64
	pending, memory := 0, int64(0)
	for _, s := range seconds {
		ages, latencies = append(ages, s.Ages...), append(latencies, s.Latencies...)
		pending, memory = max(pending, s.Pending), max(memory, s.Memory)
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %s | %d | %d |\n", name,
		figure(mean(each(seconds, accepted))), figure(mean(each(seconds, told))),
		ofAny(ages, 0.5), ofAny(ages, 0.99), ofAny(latencies, 0.5), ofAny(latencies, 0.99), pending, memory>>20)
}

// ofAny returns a quantile as it is shown, nothing if there are no numbers.
func ofAny(numbers []float64, q float64) string {
	if len(numbers) == 0 {
		return ""
	}
	return figure(quantile(numbers, q))
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, value := range values {
		sum += value
	}
	return sum / float64(max(len(values), 1))
}

// figure writes a number with two digits at least, and with a comma between thousands.
func figure(value float64) string {
	if value < 9.95 {
		return strconv.FormatFloat(value, 'f', 1, 64)
	}
	digits := strconv.Itoa(int(math.Round(value)))
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// minutes writes a time without what is zero: 10m, not 10m0s.
func minutes(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if rest, ok := strings.CutSuffix(text, zero); ok {
			text = rest + zero[:1]
		}
	}
	return text
}

// spaced writes milliseconds as docs do.
func spaced(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
