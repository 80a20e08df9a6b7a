// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// What an earlier try of a proxy did is not in the answer to the last.
func TestRequestSentTwice(t *testing.T) {
	finding := &syntax.Resource{Name: "items", Rules: []*syntax.Rule{{
		Kind: event.KindCreate, Methods: []string{"POST"}, Path: "/items",
		Find: &syntax.Query{Request: syntax.Request{Path: "/items?ref={query:ref}"}, IDs: "#.id"},
	}}}
	plain := &syntax.Resource{Name: "items"}
	for name, tc := range map[string]struct {
		resource       *syntax.Resource
		method, target string
		tries, status  int
		body           string
		marks          string // the marked objects
		unresolved     string
		unconfirmed    bool
	}{
		"a create, once":            {plain, "POST", "/items", 1, 201, `{"id":"5"}`, "items/5", "", false},
		"a create, twice":           {plain, "POST", "/items", 2, 201, `{"id":"5"}`, "items/5", "more than once", false},
		"a create, refused at last": {plain, "POST", "/items", 2, 409, `{}`, "", "without a response", false},
		"a create that is found":    {finding, "POST", "/items?ref=r", 3, 201, `{"id":"5"}`, "items/5 find", "", false},
		"refused, but found":        {finding, "POST", "/items?ref=r", 2, 409, `{}`, "find", "", true},
		"an update, twice":          {plain, "PUT", "/items/7", 2, 200, `{}`, "items/7", "", false},
		"a delete, gone at last":    {plain, "DELETE", "/items/7", 2, 404, `{}`, "items/7", "", true},
		"a delete, refused once":    {plain, "DELETE", "/items/7", 1, 404, `{}`, "", "", false},
	} {
		q := new(recordingQueue)
		api := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			for range tc.tries {
				httptrace.ContextClientTrace(r.Context()).WroteHeaders()
			}
			return answers(tc.status, nil, tc.body)(w, r)
		})
		if _, err := send(watcherFor(t, q, tc.resource), tc.method, tc.target, "{}", api); err != nil {
			t.Fatal(err)
		}
		got := q.only(t).resolution
		var marks []string
		for _, m := range got.Marks {
			text := m.Key.String()
			if strings.Contains(text, "@find") {
				text = "find"
			}
			marks = append(marks, text)
		}
		if strings.Join(marks, " ") != tc.marks || !strings.Contains(got.Unresolved, tc.unresolved) || (got.Unresolved != "") != (tc.unresolved != "") {
			t.Errorf("%s: %q, %q", name, marks, got.Unresolved)
		}
		if len(got.Marks) > 0 && got.Marks[0].Hints.Has(queue.HintUnconfirmed) != tc.unconfirmed {
			t.Errorf("%s: hints %v", name, got.Marks[0].Hints)
		}
	}
}
