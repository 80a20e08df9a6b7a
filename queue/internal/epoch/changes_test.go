// SPDX-License-Identifier: Apache-2.0

package epoch

import (
	"fmt"
	"slices"
	"testing"
)

// Of many changes the last are known, and memory is bounded.
func TestChanges(t *testing.T) {
	e := New()
	e.Begin("x", 10)
	if ids, known := e.Changed("x", 9); known || ids != nil {
		t.Errorf("what was changed before is known: %v", ids)
	}
	const all = 5 * maxChanges
	for version := uint64(11); version <= all; version++ {
		e.Raise("x", version, []string{fmt.Sprint(version), "always"})
	}
	for _, back := range []uint64{0, 1, 7, maxChanges/2 - 1} {
		ids, known := e.Changed("x", all-back)
		if want := min(1, back) + back; !known || uint64(len(ids)) != want || back > 0 && !slices.Contains(ids, fmt.Sprint(all-back+1)) {
			t.Errorf("of the last %d changes, %d are known: %v", back, len(ids), known)
		}
	}
	if _, known := e.Changed("x", all-2*maxChanges); known {
		t.Error("all changes are known")
	}
	if kept := len(e.last["x"].log); kept > 2*maxChanges+2 {
		t.Errorf("%d changes are kept", kept)
	}
	if ids, known := e.Changed("nothing", 0); !known || ids != nil {
		t.Errorf("got %v, %v", ids, known)
	}
}
