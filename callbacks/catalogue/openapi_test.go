// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// someRoute returns a route that is right.
func someRoute(change func(*Route)) Route {
	r := Route{
		Method: "GET", Path: "/endpoints/{id}", ID: "showEndpoint", Summary: "Show an endpoint.",
		Parameters: []Parameter{{Name: "id", In: InPath}}, Answers: []Answer{{Status: 200, Text: "It is there."}}, Problems: []int{404},
	}
	if change != nil {
		change(&r)
	}
	return r
}

func TestRefusedDescriptions(t *testing.T) {
	for name, test := range map[string]struct {
		d    Description
		want string
	}{
		"no title":       {Description{Version: "1"}, "title"},
		"no version":     {Description{Title: "x"}, "version"},
		"another method": {routes(someRoute(func(r *Route) { r.Method = "get" })), `"get"`},
		"no slash":       {routes(someRoute(func(r *Route) { r.Path = "x/{id}" })), "begin with /"},
		"no id":          {routes(someRoute(func(r *Route) { r.ID = "" })), "an id"},
		"no answer":      {routes(someRoute(func(r *Route) { r.Answers = nil })), "an answer"},
		"an answer without text": {
			routes(someRoute(func(r *Route) { r.Answers[0].Text = "" })), "needs a text",
		},
		"a status twice":    {routes(someRoute(func(r *Route) { r.Problems = []int{200} })), "twice"},
		"no status":         {routes(someRoute(func(r *Route) { r.Problems = []int{999} })), "unknown"},
		"a variable more":   {routes(someRoute(func(r *Route) { r.Path += "/{n}" })), "{n}"},
		"a variable less":   {routes(someRoute(func(r *Route) { r.Path = "/endpoints" })), "{id}"},
		"a parameter twice": {routes(someRoute(func(r *Route) { r.Parameters = append(r.Parameters, r.Parameters[0]) })), "twice"},
		"a parameter nowhere": {
			routes(someRoute(func(r *Route) { r.Parameters = append(r.Parameters, Parameter{Name: "x"}) })), "nowhere",
		},
		"a schema that is a list": {
			routes(someRoute(func(r *Route) { r.Parameters[0].Schema = json.RawMessage(`[]`) })), "no object",
		},
		"a schema that is no JSON": {routes(someRoute(func(r *Route) { r.Body = &Content{Schema: json.RawMessage(`{`)} })), "not JSON"},
		"an example that is no JSON": {
			routes(someRoute(func(r *Route) { r.Answers[0].Body = &Content{Example: json.RawMessage(`{`)} })), "example",
		},
		"a route twice": {routes(someRoute(nil), someRoute(func(r *Route) { r.ID = "other" })), "twice"},
		"a path with two names": {
			routes(someRoute(nil), someRoute(func(r *Route) {
				r.Method, r.ID, r.Path, r.Parameters = "PUT", "other", "/endpoints/{name}", []Parameter{{Name: "name", In: InPath}}
			})), "elsewhere",
		},
		"an id twice": {routes(someRoute(nil), someRoute(func(r *Route) { r.Method = "PUT" })), "another's"},
		"a scheme without either": {
			Description{Title: "x", Version: "1", Security: []SecurityScheme{{Name: "key"}}}, "either",
		},
		"a schema with another's name": {
			Description{Title: "x", Version: "1", Schemas: map[string]json.RawMessage{"Problem": json.RawMessage(`{}`)}}, "Problem",
		},
		"an event twice": {
			Description{Title: "x", Version: "1", Webhooks: []Webhook{{Type: "a"}, {Type: "a"}}}, "twice",
		},
	} {
		if _, err := Build(test.d); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", name, err, test.want)
		}
	}
}

func routes(r ...Route) Description { return Description{Title: "x", Version: "1", Routes: r} }

// The same description has the same bytes, in whatever order its parts are told.
func TestDeterministic(t *testing.T) {
	d := routes(someRoute(nil), someRoute(func(r *Route) { r.Method, r.ID = "PUT", "put" }))
	d.Webhooks = []Webhook{{Type: "items.updated"}, {Type: "items.created"}}
	d.Schemas = map[string]json.RawMessage{"A": json.RawMessage(`{}`), "B": json.RawMessage(`true`)}
	first, err := Build(d)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(d.Routes)
	slices.Reverse(d.Webhooks)
	for range 20 {
		again, err := Build(d)
		if err != nil || !bytes.Equal(first, again) {
			t.Fatalf("%v\n%s\n%s", err, first, again)
		}
	}
}
