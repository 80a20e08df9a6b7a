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
}

var measures = []measure{
	{"P1", measureThroughput},
	{"P1.rules", measureRules},
	{"P1.resources", measureResources},
	{"P1.latency", measureLatency},
	{"P2", measureMarks},
	{"P3", measureDrain},
	{"P4", measureEventLatency},
	{"P5", measurePending},
	{"P6", measureHanging},
	{"P6.strangers", measureStrangers},
	{"P7", measureCPU},
	{"P8", measureWhole},
	{"P9", measureMany},
	{"P9.page", measurePages},
	{"P9.filter", measureFiltering},
	{"tracked", measureTracked},
	{"sign", measureSignatures},
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
		if only != "" && !slices.Contains(wanted, m.name) {
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
