// SPDX-License-Identifier: Apache-2.0

package syntax

import "testing"

// The conventions of a Show's path, which may end with a slash: that begins no segment.
func TestConventions(t *testing.T) {
	for path, want := range map[string][3]string{ // create, update, below
		"/items/:id":           {"/items", "/items/:id", "/items/:id/*"},
		"/items/:id/":          {"/items", "/items/:id/", "/items/:id/*"},
		"/api/items/:id/":      {"/api/items", "/api/items/:id/", "/api/items/:id/*"},
		"/a/:a/b/:id/":         {"/a/:a/b", "/a/:a/b/:id/", "/a/:a/b/:id/*"},
		"/issues/:id.json":     {"/issues.json", "/issues/:id.json", "/issues/:id/*"},
		"/issues/:id.json/":    {"/issues.json", "/issues/:id.json/", "/issues/:id/*"},
		"/Products(:id)":       {"/Products", "/Products(:id)", "/Products(:id)/*"},
		"/Products(:id)/":      {"/Products", "/Products(:id)/", "/Products(:id)/*"},
		"/items/:id/?fields=a": {"/items", "/items/:id/", "/items/:id/*"},
		"/files/:path*":        {"/files", "/files/:path*", ""},
	} {
		rules := conventionalRules(path)
		got := [3]string{rules[0].Path, rules[1].Path}
		if len(rules) == 4 {
			got[2] = rules[2].Path
		}
		if got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
