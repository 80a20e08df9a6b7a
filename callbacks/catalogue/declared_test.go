// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"slices"
	"testing"
)

// Of several declarations that hold for a type, the most exact counts, in whatever order
// they stand.
func TestNearest(t *testing.T) {
	declared := []Declared{{Pattern: "*"}, {Pattern: "items.*"}, {Pattern: "items.state.*"}, {Pattern: "items.state.paid"}, {Pattern: "item"}}
	for name, want := range map[string]string{
		"items.state.paid": "items.state.paid", "items.state.sent": "items.state.*", "items.created": "items.*", "users.created": "*",
		"items.state.*": "items.state.*", "items.*": "items.*", "items.state.paid.late": "items.state.*", "item": "item",
	} {
		for range 2 {
			slices.Reverse(declared)
			if got := Nearest(declared, name, func(Declared) bool { return true }); got == nil || got.Pattern != want {
				t.Errorf("%s: %+v, want %s", name, got, want)
			}
		}
	}
	if got := Nearest(declared[1:], "users.created", func(Declared) bool { return false }); got != nil {
		t.Errorf("got %+v", got)
	}
}
