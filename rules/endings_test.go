// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// What is left out at the end of a path is never a whole segment, and never reaches over
// one.
func TestEndings(t *testing.T) {
	e := &endings{".json", ".xml", ";jsessionid=*"}
	for path, want := range map[string]string{
		"/items/5.json": "/items/5", "/items.json": "/items", "/items/5.json.xml": "/items/5", "/items/5;jsessionid=a.b": "/items/5",
		"/items/5.json;jsessionid=a": "/items/5", "/items/5;jsessionid=a/b": "/items/5;jsessionid=a/b", "/items/.json": "/items/.json",
		"/.json": "/.json", "/items/5.json/": "/items/5.json/", "/items/5": "/items/5", "/items/5;v=1": "/items/5;v=1", "": "",
	} {
		if got := e.cut(path); got != want {
			t.Errorf("%s: %s; want %s", path, got, want)
		}
	}
	for path, want := range map[string]bool{
		"/items/5%2Ejson": true, "/items/5.JSON": true, "/items/5.json/": true, "/items/5%3Bjsessionid=1": true, "/items/5%252Ejson": false, "/items/5": false, "/items/.json": false,
	} {
		if got := e.resembles(path); got != want {
			t.Errorf("%s resembles an ending: %v", path, got)
		}
	}
}

// Endings cost a request that matches nothing no allocation.
func TestEndingsDoNotAllocate(t *testing.T) {
	set := compileFor(t, &syntax.Resource{Name: "items", Endings: []string{".json", ";s=*"}})
	for _, path := range []string{"/other/5", "/other", "/items"} {
		request, found := asking(http.MethodPut, &url.URL{Path: path}), new(Match)
		if n := testing.AllocsPerRun(100, func() { set.Find(request, found) }); n > 0 {
			t.Errorf("%s: %v allocations", path, n)
		}
	}
}

// A client's request of an object at a path with an ending may be answered with another
// form of it: it is no Show, and asks for no object of its own.
func TestEndedShows(t *testing.T) {
	set := compileFor(t, &syntax.Resource{Name: "items", Endings: []string{".json", ";s=*"}},
		&syntax.Resource{Name: "issues", Endings: []string{".json"}, Show: &syntax.Request{Path: "/issues/:id.json"}}, &syntax.Resource{Name: "files"})
	for path, want := range map[string]bool{
		"/items/5": true, "/items/5.json": false, "/items/5%2Ejson": false, "/items/5.JSON": false, "/items/5;s=1": false,
		"/issues/5.json": true, "/files/5.json": true,
	} {
		u, err := url.Parse(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := set.FindShow(asking(http.MethodGet, u), new(Match)); got != want {
			t.Errorf("%s is a Show: %v", path, got)
		}
	}
}
