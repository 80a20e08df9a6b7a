// SPDX-License-Identifier: Apache-2.0

package rules

import "testing"

// The target of a request is the object whose id ends its path, however that is written.
func TestEndsWith(t *testing.T) {
	for path, want := range map[string]bool{
		"/items/:id":               true,
		"/items/:id/":              true,
		"/items/:id.json":          true,
		"/items/:id{/}?":           true,
		`/items/:id(\d+)`:          true,
		`/items/:id(\d+|[a-z/]+b)`: true,
		"/items/:id{.json}?":       true,
		"/items/:id/photos":        false,
		"/items/:id/*":             false,
		`/items/:id(\d+)/photos`:   false,
		"/items/:id{/photos}?":     false,
		"/items/:id(a|b)/*":        false,
		"/items/:id/:photo(.*)":    false,
	} {
		p, err := parsePattern(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if got := p.endsWith("id"); got != want {
			t.Errorf("%s ends with its id: %v", path, got)
		}
	}
}
