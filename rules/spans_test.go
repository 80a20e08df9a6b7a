// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// What stands in a path beside its names, and where a value does not fit it.
func TestSpans(t *testing.T) {
	for _, tc := range []struct{ pattern, path, want string }{
		{"/issues/:id.json", "/issues/5.json", "5"},
		{"/issues/:id.json", "/issues/a%20b.json/", "a b"},
		{"/issues/:id.json", "/issues/5.json.json", "5.json"},
		{"/issues/:id.json", "/issues/.json", ""},
		{"/issues/:id.json", "/issues/5.jsonx", ""},
		{"/issues/:id.json", "/issues/5.json/x", ""},
		{"/Products(:id)", "/Products(5)", "5"},
		{"/Products(:id)", "/Products()", ""},
		{`/Products\(:id\)`, "/Products(5)", "5"},
		{"/P(':id')", "/P('a')", "a"},
		{"/P(':id')/*", "/P('a')/b/c", "a"},
		{"/P(':id')/*", "/P('a')", ""},
		{"/L(a=:a,b=:b)", "/L(a=1,b=2)", "1|2"},
		{"/:a-:b", "/1-2", "1|2"},
		{"/:a-:b", "/-2", ""},
		{"/@:user", "/@ann", "ann"},
		{"/files/:path*", "/files/a/b%20c/", "a/b c"},
		{"/files/:path+", "/files/a", "a"},
		{"/files/:path*", "/files", ""},
		{"/files/:path*", "/files/", ""},
		{"/b/:bucket/f/:path*", "/b/x/f/y/z", "x|y/z"},
		{"/gr%C3%B6%C3%9Fe-:id", "/größe-5", "5"},
		{"/:v(:id)", "/1(2)", ""}, // an expression for :v
	} {
		p, err := parsePattern(tc.pattern)
		if err != nil {
			t.Errorf("%s: %v", tc.pattern, err)
			continue
		}
		values, _, ok := p.values(tc.path, false)
		if got := strings.Join(values, "|"); p.spans != nil && (got != tc.want || ok != (tc.want != "")) {
			t.Errorf("%s, %s: %q, %v; want %q", tc.pattern, tc.path, got, ok, tc.want)
		}
		if (p.spans == nil) != strings.Contains(tc.pattern, ":v(") {
			t.Errorf("%s is an expression: %q", tc.pattern, p.expression)
		}
	}
	for _, pattern := range []string{`/a/:id(\d+)`, "/a/:id{.json}?", "/a/(.*)", "/a/:id(.*)", "/:x:y", "/a/:path*/b", "/a/b*", `/a(:\d+)`} {
		if p, err := parsePattern(pattern); err != nil || p.expression == "" {
			t.Errorf("%s is no expression, %v", pattern, err)
		}
	}
}

// A value of which the path would mean something else is refused.
func TestSpansRefuse(t *testing.T) {
	for pattern, values := range map[string][]string{
		"/issues/:id.json": {"a/b", "..", "a;b", ""},
		"/P(':id')":        {"a' or 'b", "a')/S('b", "a b", "a'"},
		"/P(:id)":          {"1)", "1,No=2", "a b"},
		"/files/:path*":    {"a/../b", "a//b", "/a", "a/", "a%2Fb", "a/b;c"},
	} {
		set := compileFor(t, &syntax.Resource{Name: "items", Show: &syntax.Request{Path: pattern}})
		for _, value := range values {
			if key, err := set.Resources[0].NewKey(value); err == nil {
				t.Errorf("%s takes %q: %s", pattern, value, key)
			}
		}
	}
	set := compileFor(t, &syntax.Resource{Name: "items", Show: &syntax.Request{Path: "/:a-:b"}})
	for _, parts := range [][]string{{"1-2", "3"}, {"1", "2-3"}} {
		if key, err := set.Resources[0].NewKey(parts...); err == nil {
			t.Errorf("%q: %s", parts, key)
		}
	}
}

// A path with more names than a match holds is refused when it is read.
func TestSpansOfManyNames(t *testing.T) {
	path := ""
	for i := range maxSegments / 2 {
		path += fmt.Sprintf("/:a%d-:b%d", i, i)
	}
	for name, tc := range map[string]struct {
		path string
		ok   bool
	}{"as many as fit": {path, true}, "one more": {path + "/:rest*", false}} {
		if _, err := parsePattern(tc.path); (err == nil) != tc.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The most specific pattern wins: text, a name beside text (with most text first), a
// name alone, a name for all that follows, and "*".
func TestSpansInTree(t *testing.T) {
	var declared []*syntax.Rule
	for _, path := range []string{"/a/:id", "/a/:id.json", "/a/:id.min.json", "/a/new.json", "/a/:id.json/*", "/a/*", "/b/:id", "/b/:id*", "/c/*", "/c/:id*"} {
		declared = append(declared, &syntax.Rule{Kind: event.KindUpdate, Path: path})
	}
	set := compileFor(t, &syntax.Resource{Name: "items", Rules: declared, ID: []string{"request:id"}})
	for path, want := range map[string]string{
		"/a/5": "/a/:id items/5", "/a/5.json": "/a/:id.json items/5", "/a/5.min.json": "/a/:id.min.json items/5",
		"/a/5.json/x": "/a/:id.json/* items/5", "/a/5/x": "/a/*", "/a/new.json": "/a/new.json",
		"/b/5": "/b/:id items/5", "/b/5/6": "/b/:id* items/5%2F6", "/c/5/6": "/c/:id* items/5%2F6", "/a/5.JSON": "/a/:id ?",
	} {
		if got := set.found(http.MethodPost, path); got != "update * "+want {
			t.Errorf("%s: %s; want %s", path, got, want)
		}
	}
	if _, err := Compile([]*syntax.Resource{{Name: "items", ID: []string{"request:id"}, Rules: []*syntax.Rule{
		{Kind: event.KindUpdate, Path: "/a/:id.json"}, {Kind: event.KindUpdate, Path: "/a/:id.json"},
	}}}, nil); err == nil {
		t.Error("the same path twice is not refused")
	}
}

// A request that matches nothing costs no allocation.
func TestSpansDoNotAllocate(t *testing.T) {
	set := compileFor(t, &syntax.Resource{Name: "issues", Show: &syntax.Request{Path: "/issues/:id.json"}}, &syntax.Resource{Name: "files", Show: &syntax.Request{Path: "/files/:path*"}})
	for _, path := range []string{"/issues/5.xml", "/issues/x", "/files", "/other/5.json"} {
		u, err := url.Parse(path)
		if err != nil {
			t.Fatal(err)
		}
		request, found := asking(http.MethodPut, u), new(Match)
		if n := testing.AllocsPerRun(100, func() {
			if set.Find(request, found) {
				t.Error(path, found.Rule.Name)
			}
		}); n > 0 {
			t.Errorf("%s: %v allocations", path, n)
		}
	}
}

// The path that is built of values is that of the same values again.
func FuzzSpans(f *testing.F) {
	f.Add("/issues/:id.json", "a b", "")
	f.Add("/L(a=:a,b=:b)", "1", "2")
	f.Add("/f/:p*", "a/b c", "")
	f.Fuzz(func(t *testing.T, text, a, b string) {
		p, err := parsePattern(text)
		if err != nil || p.spans == nil || p.tail || len(p.names) > 2 {
			return
		}
		parts := []string{a, b}[:len(p.names)]
		if slices.Contains(parts, "") || p.checkParts(parts) != nil {
			return
		}
		path, err := p.build(parts)
		if err != nil {
			t.Fatal(err)
		}
		if values, ok := p.match(path); !ok || !slices.Equal(values, parts) {
			t.Fatalf("%s of %q is %s, of %q, %v", text, parts, path, values, ok)
		}
	})
}
