// SPDX-License-Identifier: Apache-2.0

package syntax

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// What is declared adds to the conventions, as far as they hold.
func TestConventions(t *testing.T) {
	const (
		create = "create POST /items"
		update = "update PUT|PATCH /items/:id"
		below  = "update * /items/:id/*"
		remove = "delete DELETE /items/:id"
	)
	rule := func(kind event.Kind, path string, methods ...string) *Rule {
		return &Rule{Kind: kind, Methods: methods, Path: path}
	}
	for name, tc := range map[string]struct {
		declared Resource
		want     []string // the rules
	}{
		"none declared":       {Resource{}, []string{create, update, below, remove}},
		"one more":            {Resource{Rules: []*Rule{rule("delete", "/items/:id/archive", "POST")}}, []string{"delete POST /items/:id/archive", create, update, below, remove}},
		"rules alone":         {Resource{Conventions: ConventionsRules}, []string{create, update, below, remove}},
		"no rules":            {Resource{Conventions: ConventionsEvents}, nil},
		"neither":             {Resource{Conventions: ConventionsNone, Rules: []*Rule{rule("update", "/x", "POST")}}, []string{"update POST /x"}},
		"RPC":                 {Resource{Show: &Request{Method: "POST", Path: "/rpc", Body: `{"id":"{id}"}`}}, nil},
		"POST":                {Resource{Show: &Request{Method: "POST", Path: "/items/:id"}}, nil},
		"the id in the query": {Resource{Show: &Request{Path: "/api?id={id}"}}, nil},
		"a part in the query": {Resource{Show: &Request{Path: "/items/:id?shop={shop}"}}, nil},
		"a view":              {Resource{Show: &Request{Path: "/items/:id?expand=all"}}, []string{create, update, below, remove}},
		"not at the end":      {Resource{Show: &Request{Path: "/items/:id/details"}}, nil},
	} {
		tc.declared.Name = "items"
		var got []string
		for _, r := range tc.declared.WithDefaults().Rules {
			got = append(got, fmt.Sprintf("%s %s", r.Kind, r))
		}
		if strings.Join(got, ", ") != strings.Join(tc.want, ", ") {
			t.Errorf("%s: %q; want %q", name, got, tc.want)
		}
	}
}

// An event for every object that is created, changed or deleted is the only one that
// stands for that by itself.
func TestConventionalEvents(t *testing.T) {
	for name, tc := range map[string]struct {
		conventions string
		declared    []*EventRule
		want        string // besides the declared ones
	}{
		"none declared": {"", nil, "items.created items.updated items.deleted"},
		"one of some":   {"", []*EventRule{{Type: "items.paid", On: "change", Paths: []string{"state"}}}, "items.created items.updated items.deleted"},
		"a condition":   {"", []*EventRule{{Type: "items.large", On: "create", When: "true"}}, "items.created items.updated items.deleted"},
		"another name":  {"", []*EventRule{{Type: "items.made", On: "create"}, {Type: "items.gone", On: "delete"}}, "items.updated"},
		"the same name": {"", []*EventRule{{Type: "items.updated", On: "change", Paths: []string{"state"}}}, "items.created items.deleted"},
		"events alone":  {ConventionsEvents, nil, "items.created items.updated items.deleted"},
		"no events":     {ConventionsRules, []*EventRule{{Type: "items.made", On: "create"}}, ""},
		"neither":       {ConventionsNone, []*EventRule{{Type: "items.made", On: "create"}}, ""},
	} {
		var got []string
		for _, e := range (Resource{Name: "items", Conventions: tc.conventions, Events: tc.declared}).WithDefaults().Events[len(tc.declared):] {
			got = append(got, e.Type)
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s: %q; want %q", name, got, tc.want)
		}
	}
}

// The conventions of a Show's path, which may end with a slash: that begins no segment.
func TestConventionalPaths(t *testing.T) {
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
		rules := conventionalRules(Request{Method: "GET", Path: path})
		got := [3]string{rules[0].Path, rules[1].Path}
		if len(rules) == 4 {
			got[2] = rules[2].Path
		}
		if got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
