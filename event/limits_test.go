// SPDX-License-Identifier: Apache-2.0

package event

import (
	"strings"
	"testing"
)

func TestCausePath(t *testing.T) {
	for path, want := range map[string]string{
		"/items/42":                                "/items/42",
		strings.Repeat("x", MaxPathLength):         strings.Repeat("x", MaxPathLength),
		strings.Repeat("x", MaxPathLength+1):       strings.Repeat("x", MaxPathLength),
		strings.Repeat("x", MaxPathLength-1) + "é": strings.Repeat("x", MaxPathLength-1),
	} {
		if got := CausePath(path); got != want {
			t.Errorf("of %d bytes, %d are kept, want %d", len(path), len(got), len(want))
		}
	}
}
