// SPDX-License-Identifier: Apache-2.0

package shape

import (
	"fmt"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	for _, test := range []struct{ pattern, path, want string }{
		{"/callbacks/:id", "/callbacks/7", "map[id:7]"},
		{"/callbacks/:id", "/callbacks/7/", "map[id:7]"},
		{"/callbacks/{id}", "/callbacks/7", "map[id:7]"},
		{"/callbacks/:id/", "/callbacks/7", "map[id:7]"},
		{"/callbacks/:id", "/callbacks/a%2Fb", "map[id:a/b]"},
		{"/call%20backs/:id", "/call%20backs/7", "map[id:7]"},
		{"/:tenant/callbacks/:type", "/acme/callbacks/5", "map[tenant:acme type:5]"},
		{"/", "/", "map[]"},
		{"/callbacks", "/callbacks", "map[]"},
		{"/callbacks/:id", "/callbacks", "-"},
		{"/callbacks/:id", "/callbacks/", "-"},
		{"/callbacks/:id", "/callbacks//", "-"},
		{"/callbacks/:id", "/callbacks/7/8", "-"},
		{"/callbacks/:id", "//callbacks/7", "-"},
		{"/callbacks/:id", "/Callbacks/7", "-"},
		{"/callbacks/:id", "/callbacks/%zz", "-"},
		{"/callbacks/:id", "/callbacks/%ff", "-"},
		{"/callbacks", "callbacks", "-"},
	} {
		p, err := ParsePath(test.pattern)
		if err != nil {
			t.Fatal(err)
		}
		values, matches := p.Match(test.path)
		got := fmt.Sprint(values)
		if !matches {
			got = "-"
		}
		if got != test.want {
			t.Errorf("%s %s: %s, want %s", test.pattern, test.path, got, test.want)
		}
	}
}

// Each request to an API passes by the routes of one at its root: to see that it is none
// of theirs costs no memory.
func TestMatchesAllocatesNothing(t *testing.T) {
	p, err := ParsePath("/:tenant/callbacks/:type")
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { p.Matches("/items/42/pay"); p.Matches("/acme/callbacks/5") }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestPathsThatAreNone(t *testing.T) {
	for _, text := range []string{"", "callbacks", "/callbacks?x", "/callbacks/*", "/a//b", "/:id/:id", "/a:b", "/:", "/{id", "/:a-b", "/%zz", strings.Repeat("/a", 40)} {
		if _, err := ParsePath(text); err == nil {
			t.Errorf("%q is a path", text)
		}
	}
}

// A value from a stranger never makes a path another one.
func TestFill(t *testing.T) {
	for value, want := range map[string]string{
		"acme": "/partners/acme/x?a=:b", "a b": "/partners/a%20b/x?a=:b", "ä": "/partners/%C3%A4/x?a=:b", "": "", "..": "", ".": "", "a/b": "", `a\b`: "", "a?b": "", "a#b": "", "a;b": "",
		"a%2fb": "", "a\n": "", "a.": "", " ": "", "a ": "", "\xff": "",
	} {
		got, err := Fill("/partners/:tenant/x?a=:b", func(string) string { return value })
		if err != nil {
			got = ""
		}
		if got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
	if got, err := Fill("/me?x=1", nil); err != nil || got != "/me?x=1" {
		t.Errorf("%q %v", got, err)
	}
}

func TestRoutes(t *testing.T) {
	for _, test := range []struct {
		route Route
		used  string
		want  string
	}{
		{Route{Verb: "create", Methods: []string{"POST"}, Path: "/callbacks"}, "", ""},
		{Route{Verb: "create", Methods: []string{"POST"}, Path: "/:tenant/callbacks/:type", Status: 200}, "", ""},
		{Route{Verb: "list", Thing: "endpoints", Methods: []string{"GET", "POST"}, Path: "/callbacks"}, "", ""},
		{Route{Verb: "list", Thing: "deliveries", Methods: []string{"GET"}, Path: "/callbacks/:id/responses"}, "", ""},
		{Route{Verb: "show", Thing: "delivery", Methods: []string{"GET"}, Path: "/responses/:delivery"}, "", ""},
		{Route{Verb: "resend", Methods: []string{"POST"}, Path: "/x/:y", Object: "items"}, "", ""},
		{Route{Verb: "list", Methods: []string{"GET"}, Path: "/orgs/:org/callbacks"}, "org", ""},
		{Route{Verb: "make", Methods: []string{"POST"}, Path: "/callbacks"}, "", "there are create, put, list"},
		{Route{Verb: "pause", Thing: "delivery", Methods: []string{"POST"}, Path: "/x/:delivery"}, "", "pause takes `pause METHOD PATH`"},
		{Route{Verb: "list", Thing: "events", Methods: []string{"GET"}, Path: "/events"}, "", ""},
		{Route{Verb: "list", Thing: "object", Methods: []string{"GET"}, Path: "/events"}, "", "list takes `list METHOD PATH` or `list delivery METHOD PATH` or `list event METHOD PATH`"},
		{Route{Verb: "resend", Methods: []string{"POST"}, Path: "/x/:id"}, "", "{ object RESOURCE }"},
		{Route{Verb: "show", Methods: []string{"GET"}, Path: "/x/:id", Object: "items"}, "", "show takes"},
		{Route{Verb: "create", Path: "/callbacks"}, "", "method is missing"},
		{Route{Verb: "create", Methods: []string{"Post"}, Path: "/callbacks"}, "", "no HTTP method"},
		{Route{Verb: "create", Methods: []string{"POST", "POST"}, Path: "/callbacks"}, "", "twice"},
		{Route{Verb: "delete", Methods: []string{"GET"}, Path: "/callbacks/:id"}, "", "GET must change nothing"},
		{Route{Verb: "list", Methods: []string{"HEAD"}, Path: "/callbacks"}, "", "by itself"},
		{Route{Verb: "create", Methods: []string{"POST"}, Path: "/callbacks", Status: 404}, "", "no status of success"},
		{Route{Verb: "create", Methods: []string{"POST"}, Path: "/callbacks/:id"}, "", ":id means nothing here; the path may have :tenant, :type"},
		{Route{Verb: "list", Methods: []string{"GET"}, Path: "/callbacks/:type"}, "", ":type means nothing here"},
		{Route{Verb: "show", Methods: []string{"GET"}, Path: "/callbacks"}, "", "must have :id or :type"},
		{Route{Verb: "list", Thing: "delivery", Methods: []string{"GET"}, Path: "/responses"}, "", "which endpoint is meant"},
		{Route{Verb: "show", Methods: []string{"GET"}, Path: "callbacks"}, "", "write a path"},
	} {
		var used []string
		if test.used != "" {
			used = append(used, test.used)
		}
		err := test.route.Check(used...)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%v: %v, want %q", test.route, err, test.want)
		}
	}
}

func TestClashes(t *testing.T) {
	for _, test := range []struct {
		a, b    string
		clashes bool
	}{
		{"GET /callbacks/:id", "GET /callbacks/:type", true},
		{"GET /callbacks/:id", "POST /callbacks/:type", false},
		{"GET|POST /callbacks/:id", "POST /callbacks/:id/", true},
		{"GET /callbacks/:id", "GET /callbacks/new", false},
		{"GET /:tenant/new", "GET /callbacks/:id", true},
		{"GET /a/:id", "GET /b/:id", false},
		{"GET /a/:id", "GET /a/:id/b", false},
	} {
		var routes []Route
		for _, line := range []string{test.a, test.b} {
			methods, path, _ := strings.Cut(line, " ")
			routes = append(routes, Route{Verb: "show", Methods: strings.Split(methods, "|"), Path: path})
		}
		if err := CheckRoute(routes[:1], routes[1]); (err != nil) != test.clashes {
			t.Errorf("%s, %s: %v", test.a, test.b, err)
		}
	}
}
