// SPDX-License-Identifier: Apache-2.0

package failpoint

import "testing"

func TestParse(t *testing.T) {
	for _, test := range []struct {
		value   string
		name    string
		passage uint64
	}{
		{"", "", 1},
		{"intent.before", "intent.before", 1},
		{"intent.before:3", "intent.before", 3},
		{"intent.before:0", "intent.before:0", 1},
		{"intent.before:x", "intent.before:x", 1},
	} {
		name, passage := parse(test.value)
		if name != test.name || passage != test.passage {
			t.Errorf("parse(%q) = %q, %d; want %q, %d", test.value, name, passage, test.name, test.passage)
		}
	}
}

func TestHereDoesNothingUnlessAsked(t *testing.T) {
	t.Setenv(Variable, "")
	allocated := testing.AllocsPerRun(100, func() { Here("nowhere") })
	if allocated != 0 {
		t.Errorf("Here allocated %v times", allocated)
	}
}
