// SPDX-License-Identifier: Apache-2.0

package emitter

import "testing"

// An endpoint gets deliveries while it is applied and neither paused nor
// disabled. Before anything is applied, no endpoint counts as getting nothing:
// its waiting deliveries could be given up.
func TestReceives(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		check := func(when string, erp, gone bool) {
			t.Helper()
			if w.emitter.Receives("erp") != erp || w.emitter.Receives("gone") != gone {
				t.Errorf("%s: erp %v, gone %v", when, w.emitter.Receives("erp"), w.emitter.Receives("gone"))
			}
		}
		check("at first", true, true)
		w.apply(t, w.target(t, "erp"))
		check("applied", true, false)
		if err := w.emitter.Pause(t.Context(), "erp", ""); err != nil {
			t.Fatal(err)
		}
		check("paused", false, false)
		if err := w.emitter.Resume(t.Context(), "erp"); err != nil {
			t.Fatal(err)
		}
		check("resumed", true, false)
		w.apply(t)
		check("taken out", false, false)
	})
}
