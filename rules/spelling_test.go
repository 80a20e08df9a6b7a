// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// A path that servers read in different ways names no object for sure, and evades
// no rule.
func TestSpellings(t *testing.T) {
	set := compileFor(t, &syntax.Resource{Name: "items"}, &syntax.Resource{Name: "users"})
	for target, want := range map[string]string{
		"/items/42":           "items/42",
		"/items/42/":          "items/42",
		"/items//42":          "items/42",
		"/items/a%20b":        "items/a%20b",
		"/items/caf%C3%A9":    "items/caf%C3%A9",
		"/items/100%25":       "items/100%25",
		"/items/AbC":          "items/AbC",
		"/%69tems/42":         "items/42",
		"/items/a@b.example":  "items/a@b.example",
		"/items/42/pay%2Fall": "items/42",
		"/items/77%2Fcard":    "?",
		"/items%2F77":         "?",
		"/items%2f77%2fcard":  "?",
		"/items/77%5Ccard":    "?",
		"/items%5C77":         "?",
		"/items/77%252Fcard":  "?",
		"/items%25252F77":     "?",
		"/items/x%2F..%2F77":  "?",
		"/items%2F..%252F..":  "?",
		"/items/./77":         "?",
		"/items/x/../77":      "?",
		"/items/x/%2e%2e/77":  "?",
		"/users/../items/77":  "?",
		"/items/..;/items/77": "?",
		"/items/77;v=1":       "?",
		"/items;v=1/77":       "?",
		"/items/77%3Bv=1":     "?",
		"/items/77%00":        "?",
		"/items%00/77":        "?",
		"/items/77.":          "?",
		"/items./77":          "?",
		"/items%20/77":        "?",
		"/items%c0%af77":      "?",
		"/items%EF%BC%8F77":   "?",
		"/items/%2537%2537":   "?",
		"/items%25u002f77":    "?",
		"/items/77%3Fx=1":     "?",
		"/items/77%23x":       "?",
		"/Items/77":           "?",
		"/ITEMS/77/pay":       "?",
		"/iteMs%2F77":         "?",
		"/others%2F77":        "",
		"/other;v=1/77":       "",
		"/x/../other/77":      "",
		"/itemss/77":          "",
		"/items/" + strings.Repeat("%2F", 2000) + "77": "?",
	} {
		if got := set.named(http.MethodPatch, target); got != want {
			t.Errorf("%s names %q, want %q", target, got, want)
		}
	}
}

// named returns the key that the path of a matched request names, "?" if it
// cannot be known, "" if no rule matches.
func (s *Set) named(method, target string) string {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return "bad target: " + err.Error()
	}
	var hit Match
	switch {
	case !s.Find(asking(method, u), &hit):
		return ""
	case hit.Unread != nil:
		return "?"
	}
	key, err := hit.Rule.Resource.NewKey(hit.Values()...)
	if err != nil {
		return "?"
	}
	return key.String()
}

// Where the API splits a path before it decodes it, an escaped slash is part of
// the id. Dot segments never are.
func TestSlashes(t *testing.T) {
	set := compileFor(t, &syntax.Resource{Name: "items", Slashes: true})
	for target, want := range map[string]string{
		"/items/77%2Fcard":      "items/77%2Fcard",
		"/items/77%252Fcard":    "items/77%252Fcard",
		"/items/a%5Cb%3Fc%23d":  "items/a%5Cb%3Fc%23d",
		"/items/Inc.":           "items/Inc.",
		"/items/77%2Fcard/pay":  "items/77%2Fcard",
		"/items/..%2Fusers%2F1": "?",
		"/items/77%2F..%2F78":   "?",
		"/items/x/../77":        "?",
		"/items/x/%2e%2e/77":    "?",
		"/items/77;v=1":         "?",
		"/items%2F77":           "?",
		"/items/77%00":          "?",
		"/items/%c0%af":         "?",
		"/Items/77":             "?",
	} {
		method := http.MethodPatch
		if got := set.named(method, target); got != want {
			t.Errorf("%s names %q, want %q", target, got, want)
		}
	}
}

// To a server that routes without regard to case, the id is the text of another
// rule.
func TestIDLikeText(t *testing.T) {
	set := compileFor(t, &syntax.Resource{Name: "items", Rules: []*syntax.Rule{
		{Kind: event.KindUpdate, Methods: []string{"POST"}, Path: "/items/:id/*"},
		{Kind: event.KindUpdate, Methods: []string{"POST"}, Path: "/items/special/:id"},
	}})
	for target, want := range map[string]string{"/items/Special/9": "?", "/items/special/9": "items/9", "/items/other/9": "items/other"} {
		if got := set.named(http.MethodPost, target); got != want {
			t.Errorf("%s names %q, want %q", target, got, want)
		}
	}
}

// No Show is read at a path that servers may take for another object's.
func TestShowOfOddID(t *testing.T) {
	set := compileFor(t,
		&syntax.Resource{Name: "items"},
		&syntax.Resource{Name: "files", Slashes: true},
		&syntax.Resource{
			Name: "things", Show: &syntax.Request{Path: "/things?id={id}"},
			Rules: []*syntax.Rule{{Kind: event.KindUpdate, Path: "/things/:id"}},
		},
	)
	for _, tc := range []struct {
		resource, id string
		ok           bool
	}{
		{"items", "42", true},
		{"items", "a b", true},
		{"items", "77/card", false},
		{"items", `77\card`, false},
		{"items", "77%2Fcard", false},
		{"items", "77;x", false},
		{"items", "77?x", false},
		{"items", "77.", false},
		{"files", "77/card", true},
		{"files", "..", false},
		{"things", "77/card?&", true},
	} {
		r := set.byName[tc.resource]
		if _, err := r.NewKey(tc.id); (err == nil) != tc.ok {
			t.Errorf("a key of %s %q: %v", tc.resource, tc.id, err)
		}
		// A queue may hold keys from before they were refused.
		if _, err := r.Show.Build([]string{tc.id}); (err == nil) != tc.ok {
			t.Errorf("the Show of %s %q: %v", tc.resource, tc.id, err)
		}
	}
	if _, err := set.byName["items"].NewKey("77/card"); !errors.Is(err, errSpelling) {
		t.Errorf("the error does not name the remedy: %v", err)
	}
	for _, path := range []string{"/items/77%2Fcard", "/items/x/../77", "/Items/77"} {
		u, _ := url.ParseRequestURI(path)
		var hit Match
		if set.FindShow(asking(http.MethodGet, u), &hit) {
			t.Errorf("%s is taken for a Show of %v", path, hit.Values())
		}
		if key, ok := set.byName["items"].KeyAt(path, nil); ok {
			t.Errorf("%s is the place of %s", path, key)
		}
	}
}

// recordedPath is a path and the segments that servers make of it: CPython's WSGI
// (PATH_INFO), Node's URL, a router as Express has it, and Go's ServeMux; null
// where they refuse it. They were recorded with the interpreters themselves.
type recordedPath struct {
	Path    string   `json:"path"`
	WSGI    []string `json:"wsgi"`
	NodeURL []string `json:"node_url"`
	Express []string `json:"express"`
	Go      []string `json:"go_servemux"`
}

// Whatever a server takes a path for: if that is an object of ours, it is the one
// that is marked, or nobody claims to know.
func TestRecordedPaths(t *testing.T) {
	raw, err := os.ReadFile("testdata/paths.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []recordedPath
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	set := compileFor(t, &syntax.Resource{Name: "items"})
	for _, recorded := range all {
		got := set.named(http.MethodPut, recorded.Path)
		for server, segments := range map[string][]string{
			"WSGI": recorded.WSGI, "Node's URL": recorded.NodeURL, "Express": recorded.Express, "Go": recorded.Go,
		} {
			segments = slices.DeleteFunc(slices.Clone(segments), func(s string) bool { return s == "" })
			if len(segments) < 2 || !strings.EqualFold(segments[0], "items") {
				continue
			}
			if want := "items/" + url.PathEscape(segments[1]); got != want && got != "?" {
				t.Errorf("%s takes %s for %s, and it is read as %q", server, recorded.Path, want, got)
			}
		}
	}
}

// A path names an object only if no reader of it names another.
func FuzzSpellings(f *testing.F) {
	for _, seed := range []string{"/items/77%2Fcard", "/items/x/..;/%2e%2e/77", "/items%25%32%66/77", "/Items/77.", "/items/%c0%ae/"} {
		f.Add(seed)
	}
	set := compileFor(f, &syntax.Resource{Name: "items"})
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Host != "" {
			return
		}
		got := set.named(http.MethodPut, target)
		if got == "?" {
			return
		}
		for decodes := range maxDecodes + 1 {
			for bits := range 1 << 5 {
				r := reader{decodes, bits&1 != 0, bits&2 != 0, bits&4 != 0, bits&8 != 0, bits&16 != 0}
				segments := strings.Split(r.read(u.EscapedPath()), "/")
				if len(segments) < 3 || !strings.EqualFold(segments[1], "items") {
					continue
				}
				if want := "items/" + segments[2]; len(u.EscapedPath()) <= maxSpelled && got != want {
					t.Fatalf("%+v takes %s for %s, and it is read as %q", r, target, want, got)
				}
			}
		}
	})
}
