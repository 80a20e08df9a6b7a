// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// A Location that spells a part of the path otherwise is about the object in that part;
// one that has another part is about another object, and one that servers read in
// different ways about none.
func TestKeyAtSpellings(t *testing.T) {
	set := compileFor(t, &syntax.Resource{Name: "items", Show: &syntax.Request{Path: "/b/:bucket/q/:id"}})
	for location, want := range map[string]string{
		"/b/x%20y/q/p":     "items/x%20y/p",
		"/b/x+y/q/p":       "items/x%20y/p",
		"/b/x%2520y/q/p":   "items/x%20y/p",
		"/b/x%2By/q/p":     "items/x%20y/p",
		"/b/X%20Y/q/p":     "items/x%20y/p",
		"/b/x+y;v=1/q/p":   "items/x%20y/p",
		"/b/z/../x+y/q/p/": "items/x%20y/p",
		"/b/x+y/q/p+q":     "items/x%20y/p+q",
		"/b/17/q/p":        "items/17/p",
		"/b/xy/q/p":        "items/xy/p",
		"/b/x+y/q/p%2520q": "",
		"/b/x+y/q/p;v=1":   "",
		"/b/x+y/q/..":      "",
		"/b/x+y/r/p":       "",
		"/b/x%2520y/q/p/r": "",
	} {
		key, ok := set.Resources[0].KeyAt(location, []string{"x y", ""})
		if got := key.String(); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %s, %v; want %q", location, got, ok, want)
		}
	}
}

// However a path is spelled, nothing but what is told takes the place of its parts.
func FuzzKeyAt(f *testing.F) {
	set := compileFor(f, &syntax.Resource{Name: "items", Show: &syntax.Request{Path: "/b/:bucket/q/:id"}})
	f.Add("/b/x+y/q/p", "x y")
	f.Add("/b/x%2520y;v/q/%2e", "x y")
	f.Fuzz(func(t *testing.T, location, told string) {
		u, err := url.Parse(location)
		if err != nil || !strings.HasPrefix(u.EscapedPath(), "/") {
			return
		}
		key, ok := set.Resources[0].KeyAt(u.EscapedPath(), []string{told, ""})
		if !ok {
			return
		}
		parts := key.Parts()
		if plain, ok := set.Resources[0].Show.path.match(u.EscapedPath()); !ok || parts[1] != plain[1] || !slices.Contains([]string{told, plain[0]}, parts[0]) {
			t.Fatalf("%q, told %q: %q", location, told, parts)
		}
	})
}
