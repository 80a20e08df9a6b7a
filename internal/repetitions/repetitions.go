// SPDX-License-Identifier: Apache-2.0

// Package repetitions says how often one run of the tests repeats what each time does
// something else. Bugs that take thousands of repetitions are for `make soak`.
package repetitions

import (
	"flag"
	"fmt"
	"strconv"
)

// rapidChecks is rapid's flag. Without it, rapid makes 100 checks of each property.
const rapidChecks = "rapid.checks"

// Checks has rapid make n checks of each property, unless the command line says how
// many. A TestMain calls it before it runs the tests.
func Checks(n int) {
	flag.Parse()
	if given(flag.CommandLine, rapidChecks) {
		return
	}
	if err := flag.Set(rapidChecks, strconv.Itoa(n)); err != nil {
		panic(fmt.Sprintf("this package does not use rapid: %v", err))
	}
}

// given reports whether a command line has a flag.
func given(flags *flag.FlagSet, name string) (is bool) {
	flags.Visit(func(f *flag.Flag) { is = is || f.Name == name })
	return is
}
