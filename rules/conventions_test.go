// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// A declared rule goes before the conventions, whatever its path is and whatever else it
// demands; they stand for all others.
func TestConventionsYield(t *testing.T) {
	update := func(path string, methods ...string) *syntax.Rule {
		return &syntax.Rule{Kind: event.KindUpdate, Methods: methods, Path: path}
	}
	where := update("/items/:id", "PATCH")
	where.Where = []*syntax.Condition{{Value: "query:final", Is: []string{"1"}}}
	for name, tc := range map[string]struct {
		rule *syntax.Rule
		want map[string]string // by request
	}{
		"one more": {update("/items/:id/pay", "POST"), map[string]string{
			"POST /items/7/pay": "update POST /items/:id/pay items/7", "POST /items/7/x": "update * /items/:id/* items/7",
			"PUT /items/7": "update PUT|PATCH /items/:id items/7", "POST /items": "create POST /items", "DELETE /items/7": "delete DELETE /items/:id items/7",
		}},
		"the same path, by another name": {update("/items/:key/", "PUT"), map[string]string{
			"PUT /items/7": "update PUT /items/:key/", "PATCH /items/7": "update PUT|PATCH /items/:id items/7",
		}},
		"less specific": {update("/items/*", "PATCH"), map[string]string{
			"PATCH /items/7": "update PATCH /items/*", "PUT /items/7": "update PUT|PATCH /items/:id items/7", "POST /items/7/x": "update * /items/:id/* items/7",
		}},
		"an expression": {update(`/items/:id(\d+)/:action`, "POST"), map[string]string{
			"POST /items/7/pay": `update POST /items/:id(\d+)/:action items/7`, "POST /items/x/pay": "update * /items/:id/* items/x",
		}},
		"of all methods": {update("/items/:id"), map[string]string{"DELETE /items/7": "update * /items/:id items/7"}},
		"what it demands": {where, map[string]string{
			"PATCH /items/7?final=1": "update PATCH /items/:id where query:final is 1 items/7", "PATCH /items/7": "", "PUT /items/7": "update PUT|PATCH /items/:id items/7",
		}},
		"beside text": {update("/items/:id.json", "PATCH"), map[string]string{
			"PATCH /items/7.json": "update PATCH /items/:id.json items/7", "PATCH /items/7": "update PUT|PATCH /items/:id items/7",
		}},
	} {
		set := compileFor(t, &syntax.Resource{Name: "items", ID: []string{"id", "query:id"}, Rules: []*syntax.Rule{tc.rule}}, &syntax.Resource{Name: "others"})
		for request, want := range tc.want {
			method, target, _ := strings.Cut(request, " ")
			if got := set.found(method, target); got != want {
				t.Errorf("%s: %s: %q; want %q", name, request, got, want)
			}
		}
	}
}

// Rules of another resource take nothing from the conventions.
func TestConventionsOfEach(t *testing.T) {
	set := compileFor(t, &syntax.Resource{Name: "items"}, &syntax.Resource{
		Name: "orders", ID: []string{"query:id"}, Rules: []*syntax.Rule{{Kind: event.KindUpdate, Methods: []string{"PATCH"}, Path: "/items/:item"}},
	})
	if got := set.found("PATCH", "/items/7?id=1"); got != "update PUT|PATCH /items/:id items/7" && got != "update PATCH /items/:item" {
		t.Errorf("%q", got)
	}
	if set.Resources[0].declares("PATCH", "/items/7") {
		t.Error("the rule of another resource counts")
	}
}

// A resource of which nothing says what changes it is refused, and so is one without
// events.
func TestResourcesWithoutEffect(t *testing.T) {
	rpc := func(of syntax.Resource) *syntax.Resource {
		of.Name, of.Show = "items", &syntax.Request{Method: "POST", Path: "/rpc", Body: `{"id":"{id}"}`}
		return &of
	}
	touching := &syntax.Resource{Name: "orders", Rules: []*syntax.Rule{{Kind: event.KindUpdate, Path: "/orders/:id", Touches: []*syntax.Touch{{Resource: "items", IDs: "item"}}}}}
	for name, tc := range map[string]struct {
		declared []*syntax.Resource
		ok       bool
	}{
		"no rule":       {[]*syntax.Resource{rpc(syntax.Resource{})}, false},
		"touched":       {[]*syntax.Resource{touching, rpc(syntax.Resource{})}, true},
		"a list":        {[]*syntax.Resource{rpc(syntax.Resource{List: &syntax.List{Query: syntax.Query{Request: syntax.Request{Path: "/items"}, IDs: "#.id"}}})}, true},
		"no event":      {[]*syntax.Resource{{Name: "items", Conventions: syntax.ConventionsRules}}, false},
		"nothing":       {[]*syntax.Resource{{Name: "items", Conventions: syntax.ConventionsNone}}, false},
		"another word":  {[]*syntax.Resource{{Name: "items", Conventions: "off"}}, false},
		"only events":   {[]*syntax.Resource{{Name: "items", Conventions: syntax.ConventionsEvents}}, false},
		"its own event": {[]*syntax.Resource{{Name: "items", Conventions: syntax.ConventionsRules, Events: []*syntax.EventRule{{Type: "items.x", On: event.OpChange}}}}, true},
	} {
		if _, err := Compile(tc.declared, nil); (err == nil) != tc.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
