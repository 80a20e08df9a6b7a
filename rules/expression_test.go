// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
	"github.com/caddy-webhooks/caddy-webhooks/rules/where"
)

// A rule whose condition is an expression matches what it says, and what cannot be
// decided is not passed over.
func TestExpressions(t *testing.T) {
	const jsonType = "application/json"
	for name, tc := range map[string]struct {
		expression, query, contentType, body string
		want                                 string // "match", "none", "unsure" or "unread"
	}{
		"a number":                     {"request.amount > 0", "", jsonType, `{"amount":1}`, "match"},
		"another number":               {"request.amount > 0", "", jsonType, `{"amount":-1.5}`, "none"},
		"a large one":                  {"request.n == 9007199254740993", "", jsonType, `{"n":9007199254740993}`, "match"},
		"nothing":                      {"request.amount > 0", "", jsonType, ``, "none"},
		"another member":               {"request.amount > 0", "", jsonType, `{"other":1}`, "none"},
		"a member that may be missing": {"!has(request.dry) || !request.dry", "", jsonType, `{"other":1}`, "match"},
		"a text for a number":          {"request.amount > 0", "", jsonType, `{"amount":"1"}`, "unread"},
		"twice":                        {"request.amount > 0", "", jsonType, `{"amount":0,"amount":1}`, "unread"},
		"another case":                 {"request.amount > 0", "", jsonType, `{"Amount":1}`, "unread"},
		"twice within":                 {"request.a.b > 0", "", jsonType, `{"a":{"b":0,"B":1}}`, "unread"},
		"twice, where nobody looks":    {"request.amount > 0", "", jsonType, `{"amount":1,"x":1,"x":2}`, "match"},
		"all of it":                    {"size(request) == 2", "", jsonType, `{"a":1,"b":2}`, "match"},
		"all of it, twice":             {"size(request) == 1", "", jsonType, `{"a":1,"A":2}`, "unread"},
		"a body that is cut":           {"request.amount > 0", "", jsonType, `{"amount":`, "unread"},
		"another type than it has":     {"request.amount > 0", "", "text/plain", `{"amount":1}`, "unsure"},
		"a form":                       {"request.kind == 'a'", "", "application/x-www-form-urlencoded", `kind=a`, "match"},
		"JSON as a form":               {"request.a == 1", "", "application/x-www-form-urlencoded", `{"a":1}`, "unsure"},
		"a query":                      {"query.kind == 'a'", "kind=a", "", "", "match"},
		"a query that lacks it":        {"query.kind != 'a'", "", "", "", "none"},
		"a query, twice":               {"query.kind == 'a'", "kind=b&kind=a", "", "", "unread"},
		"a header":                     {"header['x-kind'] == 'a'", "", "", "", "match"},
		"the Host":                     {"header.Host == 'api.example'", "", "", "", "match"},
		"the path":                     {"path.id == '42'", "", "", "", "match"},
		"the path and no body":         {"path.id == '43'", "", jsonType, `{"a":`, "none"},
		"too much":                     {"request.l.all(a, request.l.all(b, request.l.all(c, a == b || b == c || true)))", "", jsonType, `{"l":[` + strings.Repeat("1,", 200) + `1]}`, "unread"},
	} {
		set, err := Compile([]*syntax.Resource{{
			Name:  "items",
			Rules: []*syntax.Rule{{Kind: event.KindUpdate, Path: "/items/:id", Methods: []string{"PUT"}, Where: []*syntax.Condition{{Expression: tc.expression}}}},
		}}, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://API.example:80/items/42?"+tc.query, strings.NewReader(tc.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Kind", "a")
		if tc.contentType != "" {
			r.Header.Set("Content-Type", tc.contentType)
		}
		var found Match
		got := "none"
		if set.Find(&Request{HTTP: r, Method: r.Method, Limit: 1 << 20}, &found) {
			got = "match"
		}
		switch {
		case found.Unread != nil:
			got = "unread"
		case found.Unsure != nil:
			got = "unsure"
		}
		if got != tc.want {
			t.Errorf("%s: %s (%v, %v), want %s", name, got, found.Unread, found.Unsure, tc.want)
		}
		if tc.body != "" && strings.Contains(tc.want, "unread") && errors.Is(found.Unread, where.ErrUndecided) && strings.Contains(found.Unread.Error(), tc.body) {
			t.Errorf("%s: the reason tells the body: %v", name, found.Unread)
		}
	}
}

// Members of a batch are judged one by one.
func TestExpressionOnBatch(t *testing.T) {
	set, err := Compile([]*syntax.Resource{{
		Name: "items", ID: []string{"request:params.id"},
		Rules: []*syntax.Rule{{Kind: event.KindUpdate, Path: "/rpc", Methods: []string{"POST"}, Where: []*syntax.Condition{{Expression: "request.method == 'update'"}}}},
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x/rpc", strings.NewReader(`[{"method":"update"},{"method":"get"},{"method":"update"}]`))
	if err != nil {
		t.Fatal(err)
	}
	request := Request{HTTP: r, Method: r.Method, Limit: 1 << 20}
	var found Match
	set.Find(&request, &found)
	if groups := set.FindMembers(&request, &found); len(groups) != 1 || len(groups[0]) != 2 {
		t.Errorf("members of %d resources match: %v", len(groups), groups)
	}
}

// Two rules that differ in their expressions alone are two.
func TestRulesOfExpressions(t *testing.T) {
	rule := func(kind event.Kind, expression string) *syntax.Rule {
		return &syntax.Rule{Kind: kind, Path: "/items/:id", Methods: []string{"PUT"}, Where: []*syntax.Condition{{Expression: expression}}}
	}
	for other, want := range map[string]bool{"query.a == 'b'": true, "query.a == 'a'": false} {
		_, err := Compile([]*syntax.Resource{{Name: "items", Rules: []*syntax.Rule{rule(event.KindUpdate, "query.a == 'a'"), rule(event.KindDelete, other)}}}, nil)
		if (err == nil) != want {
			t.Errorf("%s: %v", other, err)
		}
	}
	c := &syntax.Condition{Expression: "query.a == 'a'", Value: "query:a", Exists: true}
	if _, err := compileConditions([]*syntax.Condition{c}, false); err == nil {
		t.Error("an expression beside a short form is accepted")
	}
}
