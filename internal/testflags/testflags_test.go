// SPDX-License-Identifier: Apache-2.0

package testflags

import (
	"flag"
	"testing"

	"pgregory.net/rapid"
)

// Without a flag there are as many checks as the package says, and with one as many as
// that says.
func TestChecks(t *testing.T) {
	if given(flag.CommandLine, rapidChecks) {
		t.Skip("the command line says how many")
	}
	checks := func() (count int) {
		rapid.Check(t, func(*rapid.T) { count++ })
		return count
	}
	before := flag.Lookup(rapidChecks).Value.String()
	Checks(7)
	if got := checks(); got != 7 {
		t.Errorf("%d checks, want 7", got)
	}
	// From here on the flag counts as given.
	Checks(9)
	if got := checks(); got != 7 {
		t.Errorf("%d checks, want the 7 of the command line", got)
	}
	if err := flag.Set(rapidChecks, before); err != nil {
		t.Error(err)
	}
}
