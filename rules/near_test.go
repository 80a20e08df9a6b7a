// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// Requests are like those of a rule if somebody may have meant them.
func TestRuleIsLike(t *testing.T) {
	for rule, tc := range map[string]struct{ like, unlike []string }{
		"update PUT /orders/:id": {
			[]string{"PUT /orders/:id", "PUT /order/:id", "PUT /ordres/:id", "PUT /Orders/:id", "PATCH /orders/:id", "POST /orders/:id", "PUT /api/v1/orders/:id"},
			[]string{"DELETE /orders/:id", "PUT /users/:id", "PUT /orders", "PUT /orders/:id/lines", "PATCH /order/:id", "POST /orders/search", "PUT /"},
		},
		"create POST /api/orders":         {[]string{"POST /orders", "POST /api/order", "PUT /api/orders"}, []string{"POST /api", "POST /:id/orders", "POST /api/users", "POST /api/orders/:id"}},
		"update POST /v1/orders/:id/ship": {[]string{"POST /v2/orders/:id/ship", "POST /orders/:id/ship"}, []string{"POST /v2/order/:id/ship", "POST /v1/orders/:id/cancel", "POST /:id/ship", "POST /ship"}},
		"delete DELETE /items/:id":        {[]string{"DELETE /item/:id", "DELETE /x/items/:id"}, []string{"POST /items/:id", "PUT /items/:id"}},
		"update * /items/:id/*":           {[]string{"POST /api/items/:id/pay", "PUT /item/:id/pay"}, []string{"POST /items", "POST /users/:id/pay"}},
		"update PUT /a/:id{.json}?":       {[]string{"PUT /a/:id"}, []string{"PUT /bcd/:id"}},
		"update POST /items/:id/:do(a|b)": {[]string{"POST /items/:id/c"}, []string{"POST /users/:id/c"}},
		"update PUT /":                    {nil, []string{"PUT /", "PUT /items"}},
	} {
		kind, rest, _ := strings.Cut(rule, " ")
		methods, path, _ := strings.Cut(rest, " ")
		r := &Rule{Kind: event.Kind(kind), pattern: pattern{text: path}}
		if methods != "*" {
			r.methods = []string{methods}
		}
		for want, kinds := range map[bool][]string{true: tc.like, false: tc.unlike} {
			for _, k := range kinds {
				method, template, _ := strings.Cut(k, " ")
				if got := r.isLike(method, template); got != want {
					t.Errorf("%s and %s: %t", rule, k, got)
				}
			}
		}
	}
}

// Of a document, the member is told that a path may have meant; names that may be data are
// not.
func TestLike(t *testing.T) {
	for _, tc := range []struct{ path, json, want string }{
		{"buyer.crad", `{"buyer":{"card":1}}`, "buyer.card"},
		{"card", `{"data":[{"card":1}]}`, "data.#.card"},
		{"updated_at", `{"updatedAt":1}`, "updatedAt"},
		{"state", `{"stats":1,"data":{"state":1}}`, "data.state"}, // the same before another
		{"a.id", `{"a":{"uid":1}}`, ""},
		{"card", `{"alice@example.com":{"card":1}}`, "*.card"},
		{"card", `{"4711-0815":{"card":1}}`, "*.card"},
		{"a\\.b", `{"x":{"a.b":1}}`, `x.a\.b`},
		{"#.id", `{"items":[{"id":1}]}`, "items.#.id"},
		{"secret", `{"a":1}`, ""},
		{"#", `[1]`, ""},
		{"a", `not JSON`, ""},
		{"@this", `{"a":1}`, ""},
		{"apps.@keys", `{"app":{"x":1}}`, "app"},
	} {
		if got := like([]byte(tc.json), tc.path); got != tc.want {
			t.Errorf("%s in %s: %q, want %q", tc.path, tc.json, got, tc.want)
		}
	}
	deep := strings.Repeat(`{"a":`, 5000) + `{"card":1}` + strings.Repeat("}", 5000)
	if got := like([]byte(deep), "crad"); got != "" {
		t.Errorf("too deep: %q", got)
	}
	if got := like([]byte("["+strings.Repeat(`{"b":1},`, 5000)+`{"card":1}]`), "card"); got != "" {
		t.Errorf("too far: %q", got)
	}
}

func FuzzLike(f *testing.F) {
	f.Add("a.#.b", `{"a":[{"c":1}]}`)
	f.Add(`a\.b`, `[[1]]`)
	f.Fuzz(func(_ *testing.T, path, json string) {
		like([]byte(json), path)
		hasElements([]byte(json))
		isEmpty([]byte(json), path)
	})
}

// What may be absent is told by a mark at the end of a path, which no path has otherwise.
func TestOptionalPaths(t *testing.T) {
	for path, want := range map[string]string{"card?": "card", "a.b?": "a.b", "card": "card", `card\?`: `card\?`} {
		if plain, absent := cutOptional(path); plain != want || absent != (path != want) {
			t.Errorf("%s: %q, %t", path, plain, absent)
		}
	}
	compile := func(hide ...string) *Resource {
		set, err := Compile([]*syntax.Resource{{Name: "items", Hide: hide}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return set.Resources[0]
	}
	for _, hide := range []string{"card", "card?"} {
		if got, err := compile(hide).Projection.Apply([]byte(`{"card":1}`)); err != nil || string(got) != "{}" {
			t.Errorf("hide %s: %s, %v", hide, got, err)
		}
	}
	if _, err := Compile([]*syntax.Resource{{Name: "items", Hide: []string{"?"}}}, nil); err == nil {
		t.Error("a mark without a path is accepted")
	}
}

// Shows of callers cannot be read when nobody asks.
func TestCallerAlone(t *testing.T) {
	for name, r := range map[string]*syntax.Resource{
		"watch": {Watch: &syntax.Watch{Every: 1, Until: &syntax.Condition{Value: "a", Exists: true}}},
		"list":  {List: &syntax.List{Query: syntax.Query{Request: syntax.Request{Path: "/items"}, IDs: "#.id"}}},
	} {
		r.Name = "items"
		if _, err := Compile([]*syntax.Resource{r}, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		r.ShowFrom = syntax.ShowFromCaller
		if _, err := Compile([]*syntax.Resource{r}, nil); err == nil || !strings.Contains(err.Error(), name+" reads Shows when nobody has") {
			t.Errorf("%s as the caller: %v", name, err)
		}
	}
}
