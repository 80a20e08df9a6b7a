// SPDX-License-Identifier: Apache-2.0

// Command bench measures the cost of the module. Each figure is a ratio to the
// bare alternative measured in the same run, so that it means the same on any
// machine. docs/performance.md describes each measurement.
//
// It prints one line per measure: the name, the figure, and its components.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// measure is one line, or a few lines from one run.
type measure struct {
	name string
	run  func(*lab) error
	// long is true if it takes so long that it is made only when it is asked for.
	long bool
}

var measures = []measure{
	{"P1", measureThroughput, false},
	{"P1.rules", measureRules, false},
	{"P1.resources", measureResources, false},
	{"P1.latency", measureLatency, false},
	{"P2", measureMarks, false},
	{"P3", measureDrain, false},
	{"P4", measureEventLatency, false},
	{"P5", measurePending, false},
	{"P6", measureHanging, false},
	{"P6.strangers", measureStrangers, false},
	{"P7", measureCPU, false},
	{"P8", measureWhole, false},
	{"P9", measureMany, false},
	{"P9.page", measurePages, false},
	{"P9.filter", measureFiltering, false},
	{"tracked", measureTracked, false},
	{"sign", measureSignatures, false},
	{"ramp", measureRamp, true},
	{"ramp.1ms", rampOn(time.Millisecond), true},
	{"ramp.20ms", rampOn(20 * time.Millisecond), true},
	{"ramp.200ms", rampOn(200 * time.Millisecond), true},
}

func main() {
	if len(os.Args) > 2 && os.Args[1] == "serve" {
		serve(os.Args[2], os.Args[3:])
		return
	}
	if len(os.Args) > 5 && os.Args[1] == "pending" {
		if err := runPending(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	only := flag.String("only", "", "measure only these, separated by commas, such as P1,P4")
	caddy := flag.String("caddy", "", "use this binary instead of building one")
	seconds := flag.Float64("seconds", 1, "length of a slice; a measure takes some tens of slices")
	flag.Parse()
	if err := run(*only, *caddy, time.Duration(*seconds*float64(time.Second))); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(only, caddy string, slice time.Duration) error {
	lab, err := newLab(caddy, slice)
	if err != nil {
		return err
	}
	defer lab.close()
	wanted := strings.Split(only, ",")
	for _, m := range measures {
		if named := slices.Contains(wanted, m.name); !named && (only != "" || m.long) {
			continue
		}
		if err := m.run(lab); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

// median returns the median of some numbers, which it sorts.
func median(numbers []float64) float64 {
	return quantile(numbers, 0.5)
}

func quantile(numbers []float64, q float64) float64 {
	if len(numbers) == 0 {
		return 0
	}
	slices.Sort(numbers)
	return numbers[min(int(q*float64(len(numbers))), len(numbers)-1)]
}
