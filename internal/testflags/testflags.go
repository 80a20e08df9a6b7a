// SPDX-License-Identifier: Apache-2.0

// Package testflags sets flags of `go test` for the packages whose tests need others than
// most. What the command line says goes first.
package testflags

import (
	"flag"
	"fmt"
	"strconv"
)

const (
	rapidChecks = "rapid.checks"
	parallel    = "test.parallel"
)

// Checks has rapid make n checks of each property, and not 100: one commit need not show
// what takes thousands, as `make soak` does. A TestMain calls it before it runs the tests.
func Checks(n int) { set(rapidChecks, n) }

// AtOnce lets n parallel tests of the package run at once, and not as many as there are
// processors: they wait for other processes. A TestMain calls it before it runs the tests.
func AtOnce(n int) { set(parallel, n) }

func set(name string, n int) {
	flag.Parse()
	if given(flag.CommandLine, name) {
		return
	}
	if err := flag.Set(name, strconv.Itoa(n)); err != nil {
		panic(fmt.Sprintf("this package has no tests for -%s: %v", name, err))
	}
}

// given reports whether a command line has a flag.
func given(flags *flag.FlagSet, name string) (is bool) {
	flags.Visit(func(f *flag.Flag) { is = is || f.Name == name })
	return is
}
