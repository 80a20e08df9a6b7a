// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

func compileFor(t testing.TB, declared ...*syntax.Resource) *Set {
	t.Helper()
	set, err := Compile(declared, nil)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// asking returns a request without a body.
func asking(method string, u *url.URL) *Request {
	return &Request{HTTP: &http.Request{Method: method, URL: u}, Method: method}
}

// found returns what a request matches, as "kind rule key", or "" for nothing.
func (s *Set) found(method, target string) string {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return "bad target: " + err.Error()
	}
	var hit Match
	if !s.Find(asking(method, u), &hit) {
		return ""
	}
	text := string(hit.Rule.Kind) + " " + hit.Rule.Name
	if hit.Unread != nil {
		return text + " ?"
	}
	keys, err := pathKeys(&hit)
	if err == nil && len(keys) == 0 {
		return text
	}
	if err != nil {
		return text + " no key"
	}
	return text + " " + keys[0].String()
}

// pathKeys returns the key of the object that a path names by itself, none where
// it does not.
func pathKeys(hit *Match) ([]event.Key, error) {
	var parts []string
	for _, part := range hit.Rule.Key {
		if part.Placeholder < 0 {
			return nil, nil
		}
		parts = append(parts, hit.Values()[part.Placeholder])
	}
	key, err := event.NewKey(hit.Rule.Resource.Name, parts...)
	return []event.Key{key}, err
}

func TestMatcher(t *testing.T) {
	m := compileFor(t,
		&syntax.Resource{Name: "users"},
		&syntax.Resource{Name: "items", Rules: []*syntax.Rule{
			{Kind: event.KindCreate, Methods: []string{"POST"}, Path: "/items"},
			{Kind: event.KindUpdate, Methods: []string{"PUT", "PATCH"}, Path: "/items/:id"},
			{Kind: event.KindUpdate, Methods: []string{"PATCH"}, Path: "/items/:id/make_payment"},
			{Kind: event.KindUpdate, Methods: []string{"POST"}, Path: "/items/:id/*"},
			{Kind: event.KindUpdate, Methods: []string{"POST"}, Path: "/items/special/:id"},
			{Kind: event.KindDelete, Methods: []string{"DELETE"}, Path: "/items/:id"},
		}},
		&syntax.Resource{
			Name: "processes", Show: &syntax.Request{Path: "/dossiers/:dossier/processes/:id"},
			Rules: []*syntax.Rule{
				{Kind: event.KindCreate, Methods: []string{"POST"}, Path: "/dossiers/:dossier/processes"},
				{Kind: event.KindUpdate, Path: "/dossiers/:dossier/processes/:id"},
			},
		},
		&syntax.Resource{Name: "orders", Show: &syntax.Request{Path: "/v1/orders/:id"}, Rules: []*syntax.Rule{
			{Kind: event.KindUpdate, Methods: []string{"POST"}, Path: `/v1/orders/:id(\d+)/:action`},
			{Kind: event.KindUpdate, Methods: []string{"POST"}, Path: `/v1/orders/:id/lock`},
		}},
	)
	for _, tc := range []struct{ method, target, want string }{
		// The conventions of REST.
		{"POST", "/users", "create POST /users"},
		{"PUT", "/users/7", "update PUT|PATCH /users/:id users/7"},
		{"PATCH", "/users/7?x=/items/1", "update PUT|PATCH /users/:id users/7"},
		{"DELETE", "/users/7", "delete DELETE /users/:id users/7"},
		{"POST", "/users/7/verify", "update * /users/:id/* users/7"},
		{"DELETE", "/users/7/photo/2", "update * /users/:id/* users/7"},
		{"PROPPATCH", "/users/7/x", "update * /users/:id/* users/7"},
		{"POST", "/users/7", ""},
		{"GET", "/users/7", ""},
		{"HEAD", "/users/7/x", ""},
		{"OPTIONS", "/users/7/x", ""},
		{"POST", "/", ""},
		{"POST", "/userss", ""},
		{"POST", "/x/users", ""},
		// A trailing slash makes no difference.
		{"POST", "/users/", "create POST /users"},
		{"PATCH", "/users/7/", "update PUT|PATCH /users/:id users/7"},
		// The most specific rule.
		{"PATCH", "/items/7/make_payment", "update PATCH /items/:id/make_payment items/7"},
		{"POST", "/items/7/make_payment", "update POST /items/:id/* items/7"},
		{"POST", "/items/special/9", "update POST /items/special/:id items/9"},
		{"POST", "/items/special/9/x", "update POST /items/:id/* items/special"},
		{"PATCH", "/items/special", "update PUT|PATCH /items/:id items/special"},
		// Keys of several parts.
		{"POST", "/dossiers/d1/processes", "create POST /dossiers/:dossier/processes"},
		{"PUT", "/dossiers/d1/processes/p1", "update * /dossiers/:dossier/processes/:id processes/d1/p1"},
		// The rest of the URLPattern syntax; text before an expression.
		{"POST", "/v1/orders/12/ship", `update POST /v1/orders/:id(\d+)/:action orders/12`},
		{"POST", "/v1/orders/12/lock", `update POST /v1/orders/:id/lock orders/12`},
		{"POST", "/v1/orders/ab/ship", "update * /v1/orders/:id/* orders/ab"},
		// Paths as servers understand them.
		{"PATCH", "/users//7", "update PUT|PATCH /users/:id users/7"},
		{"PATCH", "/x/../users/7", "update PUT|PATCH /users/:id ?"},
		{"PATCH", "/users/%2e%2e/users/7", "update PUT|PATCH /users/:id ?"},
		{"PATCH", "/users/a%20b", "update PUT|PATCH /users/:id users/a%20b"},
		{"PATCH", "/users/a%2Fb", "update PUT|PATCH /users/:id ?"},
		{"PATCH", "/%75sers/7", "update PUT|PATCH /users/:id users/7"},
		{"PATCH", "/users/..%2fitems%2f1", "update PUT|PATCH /users/:id ?"},
		{"PATCH", "/users/" + strings.Repeat("x", event.MaxPartLength+1), "update PUT|PATCH /users/:id no key"},
		{"PATCH", "/users/1" + strings.Repeat("/x", 100), "update * /users/:id/* users/1"},
	} {
		if got := m.found(tc.method, tc.target); got != tc.want {
			t.Errorf("%s %s matched %q, want %q", tc.method, tc.target, got, tc.want)
		}
	}
}

// An exchange that no rule matches costs nothing: no allocation, however many
// rules there are.
func TestNoMatchDoesNotAllocate(t *testing.T) {
	m := compileFor(t, manyResources(200)...)
	for _, target := range []string{"/", "/other/7", "/resource7/42/x", "/resource199"} {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			t.Fatal(err)
		}
		r := &http.Request{Method: http.MethodGet, URL: u}
		if strings.HasPrefix(target, "/other") {
			r.Method = http.MethodPatch
		}
		if n := testing.AllocsPerRun(100, func() {
			var hit Match
			if m.Find(&Request{HTTP: r, Method: r.Method}, &hit) {
				t.Error("it matched")
			}
		}); n != 0 {
			t.Errorf("%s costs %v allocations", target, n)
		}
	}
}

func manyResources(n int) []*syntax.Resource {
	resources := make([]*syntax.Resource, n)
	for i := range resources {
		resources[i] = &syntax.Resource{Name: fmt.Sprintf("resource%d", i)}
	}
	return resources
}

// Route lookup does not slow as rules are added.
func BenchmarkMatcher(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		m := compileFor(b, manyResources(n)...)
		hit := asking(http.MethodPatch, &url.URL{Path: fmt.Sprintf("/resource%d/42", n-1)})
		miss := asking(http.MethodPatch, &url.URL{Path: "/nothing/42"})
		b.Run(fmt.Sprintf("hit/%d", n), func(b *testing.B) {
			for b.Loop() {
				var found Match
				m.Find(hit, &found)
			}
		})
		b.Run(fmt.Sprintf("miss/%d", n), func(b *testing.B) {
			for b.Loop() {
				var found Match
				m.Find(miss, &found)
			}
		})
	}
}

func TestBadRules(t *testing.T) {
	rule := func(kind event.Kind, path string) []*syntax.Rule {
		return []*syntax.Rule{{Kind: kind, Methods: []string{"POST"}, Path: path}}
	}
	for name, tc := range map[string]struct {
		resource *syntax.Resource
		want     string
	}{
		"no name":                {&syntax.Resource{}, "a name is made of"},
		"bad name":               {&syntax.Resource{Name: "a/b"}, "a name is made of"},
		"show without id":        {&syntax.Resource{Name: "items", Show: &syntax.Request{Path: "/items"}}, "put :id where its id stands"},
		"show with a wildcard":   {&syntax.Resource{Name: "items", Show: &syntax.Request{Path: "/items/:id/*"}}, "only text and names"},
		"show with expression":   {&syntax.Resource{Name: "items", Show: &syntax.Request{Path: `/items/:id(\d+)`}}, "only text and names"},
		"relative path":          {&syntax.Resource{Name: "items", Show: &syntax.Request{Path: "items/:id"}}, "begins with '/'"},
		"twice the same name":    {&syntax.Resource{Name: "items", Show: &syntax.Request{Path: "/a/:id/b/:id"}}, ":id stands twice"},
		"query":                  {&syntax.Resource{Name: "items", Rules: rule(event.KindCreate, "/items?x=1")}, "without query"},
		"update without id":      {&syntax.Resource{Name: "items", Rules: rule(event.KindUpdate, "/items")}, "the path lacks :id"},
		"delete without id":      {&syntax.Resource{Name: "items", Rules: rule(event.KindDelete, "/items")}, "the path lacks :id"},
		"create lacks a parent":  {&syntax.Resource{Name: "p", Show: &syntax.Request{Path: "/d/:d/p/:id"}, Rules: rule(event.KindCreate, "/p")}, "the path lacks :d"},
		"bad kind":               {&syntax.Resource{Name: "items", Rules: rule("upsert", "/items/:id")}, "create, update, delete or move"},
		"bad expression":         {&syntax.Resource{Name: "items", Rules: rule(event.KindUpdate, "/items/:id(")}, "is not a URL pattern"},
		"empty segment":          {&syntax.Resource{Name: "items", Rules: rule(event.KindCreate, "/a//items")}, "an empty segment"},
		"bad escape":             {&syntax.Resource{Name: "items", Rules: rule(event.KindCreate, "/items%zz")}, "invalid URL escape"},
		"modifier in id":         {&syntax.Resource{Name: "items", ID: []string{"@this"}}, "not allowed"},
		"modifier in version":    {&syntax.Resource{Name: "items", Version: "a.@pretty"}, "not allowed"},
		"bad event type":         {&syntax.Resource{Name: "items", Events: []*syntax.EventRule{{Type: "a b", On: event.OpCreate}}}, "event a b"},
		"bad trigger":            {&syntax.Resource{Name: "items", Events: []*syntax.EventRule{{Type: "a", On: "move"}}}, "create, change or delete"},
		"paths on create":        {&syntax.Resource{Name: "items", Events: []*syntax.EventRule{{Type: "a", On: event.OpCreate, Paths: []string{"x"}}}}, "only on change"},
		"to without path":        {&syntax.Resource{Name: "items", Events: []*syntax.EventRule{{Type: "a", On: event.OpChange, To: []string{"x"}}}}, "need the path"},
		"two rules, one request": {&syntax.Resource{Name: "items", Rules: append(rule(event.KindUpdate, "/items/:id"), rule(event.KindUpdate, "/items/:id")...)}, "match the same requests"},
	} {
		_, err := Compile([]*syntax.Resource{tc.resource}, nil)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, tc.want)
		}
	}
	if _, err := Compile([]*syntax.Resource{{Name: "items"}, {Name: "items"}}, nil); err == nil {
		t.Error("a resource may be declared twice")
	}
	other := &syntax.Resource{Name: "others", Show: &syntax.Request{Path: "/items/:id"}}
	if _, err := Compile([]*syntax.Resource{{Name: "items"}, other}, nil); err == nil || !strings.Contains(err.Error(), "match the same requests") {
		t.Errorf("two resources claim the same requests: %v", err)
	}
}

func FuzzPattern(f *testing.F) {
	for _, seed := range []string{"/items/:id", "/a/*", `/a/:id(\d+)`, "/a{/b}?", "/", "/:a/:b", "/%zz", "/a//b", "/:id(", `/\:`, "/a/:id?"} {
		f.Add(seed, "/items/42")
	}
	f.Fuzz(func(t *testing.T, text, path string) {
		resources := []*syntax.Resource{
			{Name: "fuzzed", Show: &syntax.Request{Path: text}},
			{Name: "more", Rules: []*syntax.Rule{{Kind: event.KindCreate, Path: text}}},
		}
		for _, r := range resources {
			set, err := Compile([]*syntax.Resource{r}, nil)
			if err != nil {
				continue
			}
			u, err := url.ParseRequestURI("/" + strings.TrimPrefix(path, "/"))
			if err != nil {
				return
			}
			var hit Match
			request := asking(http.MethodPut, u)
			if !set.Find(request, &hit) {
				continue
			}
			keys, err := pathKeys(&hit)
			if err != nil {
				continue
			}
			for _, key := range keys {
				// A key that is accepted must lead back to a path.
				if _, err := hit.Rule.Resource.Show.Build(key.Parts()); err != nil {
					t.Errorf("%q matched %q as %s, and its Show has no path: %v", text, path, key, err)
				}
			}
		}
	})
}
