// SPDX-License-Identifier: Apache-2.0

package syntax

import "testing"

func TestAt(t *testing.T) {
	written := map[string]string{"hide/1": "Caddyfile:7", "rules": "Caddyfile:8", WholeResource: "Caddyfile:3"}
	for part, want := range map[string][2]string{
		"hide/1":  {"Caddyfile:7", "resources/2/hide/1"},
		"hide/0":  {"Caddyfile:3", "resources/2/hide/0"},
		"rules/4": {"Caddyfile:8", "resources/2/rules/4"},
		"tenant":  {"Caddyfile:3", "resources/2/tenant"},
		"":        {"Caddyfile:3", "resources/2"},
	} {
		if got := (&Resource{Lines: written}).At(2, part); got != want[0] {
			t.Errorf("%s with lines: %s", part, got)
		}
		if got := new(Resource).At(2, part); got != want[1] {
			t.Errorf("%s without: %s", part, got)
		}
	}
}
