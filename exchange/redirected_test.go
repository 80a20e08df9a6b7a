// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// A client that is not logged in is sent to a page to log in, and one that leaves out a
// slash is told to ask again. Neither confirms a change, as anybody can send such
// requests. A form that was done leads to the object, or back.
func TestRedirectedWrites(t *testing.T) {
	const changed, unknown, unchanged = event.OutcomeChanged, event.OutcomeUnknown, event.OutcomeUnchanged
	for _, tc := range []struct {
		method, target string
		status         int
		location       string
		want           event.Outcome
		marked         string // "?" for a record
	}{
		// A page to log in, or anywhere else.
		{"PATCH", "/items/5", 302, "/login", unknown, "items/5"},
		{"PATCH", "/items/5", 303, "/accounts/login/?next=/items/5", unknown, "items/5"},
		{"DELETE", "/items/5", 302, "/", unknown, "items/5"},
		{"PUT", "/items/5", 302, "https://sso.example/authorize", unknown, "items/5"},
		{"PUT", "/items/5", 302, "https://sso.example/items/5", unknown, "items/5"},
		{"PUT", "/items/5", 301, "http://[::1/", unknown, "items/5"},
		{"POST", "/items", 302, "/login", unknown, "?"},
		{"POST", "/items", 303, "/itemsandmore", unknown, "?"},

		// The same place, spelled otherwise.
		{"POST", "/items", 301, "/items/", unchanged, ""},
		{"POST", "/items/", 301, "http://example.com/items", unchanged, ""},
		{"POST", "/items", 301, "https://www.example.com/items", unchanged, ""},
		{"PATCH", "/items/5?full=1", 301, "/items/5/?full=1", unchanged, ""},
		{"DELETE", "/items/5", 301, "https://example.com/items/5", unchanged, ""},

		// The object, or back.
		{"POST", "/items", 302, "/items/7", changed, "items/7"},
		{"POST", "/items", 303, "http://example.com/items/7/", changed, "items/7"},
		{"PATCH", "/items/5", 301, "/items/6", changed, "items/5"},
		{"PATCH", "/items/5/", 302, "/items/5", changed, "items/5"},
		{"PATCH", "/items/5", 303, "/items/", changed, "items/5"},
		{"DELETE", "/items/5", 303, "/items?deleted=5", changed, "items/5"},
		{"POST", "/items/5/pay;jsessionid=0F", 302, "/items/5;jsessionid=0F", changed, "items/5"},
		{"POST", "/items/5/photos", 303, "/photos/9", changed, "items/5"},
		{"POST", "/items", 302, "/items", changed, "?"},
		{"PATCH", "/items/5", 302, "", changed, "items/5"},

		// The answer is no redirect.
		{"PATCH", "/items/5", 200, "/login", changed, "items/5"},
	} {
		q := new(recordingQueue)
		watcher := watcherFor(t, q, &syntax.Resource{Name: "items"}, &syntax.Resource{Name: "photos"})
		header := map[string]string{}
		if tc.location != "" {
			header["Location"] = tc.location
		}
		if _, err := send(watcher, tc.method, tc.target, "{}", answers(tc.status, header, "")); err != nil {
			t.Fatal(err)
		}
		name := tc.method + " " + tc.target + ": " + tc.location
		got := q.only(t).resolution
		switch tc.marked {
		case "":
			if len(got.Marks) > 0 || got.Unresolved != "" {
				t.Errorf("%s: %+v", name, got)
			}
		case "?":
			if led := strings.HasPrefix(got.Unresolved, errLedAway.Error()); len(got.Marks) > 0 || got.Unresolved == "" || led != (tc.want == unknown) {
				t.Errorf("%s: %+v", name, got)
			}
		default:
			if len(got.Marks) != 1 || got.Marks[0].Key.String() != tc.marked || got.Marks[0].Cause.Outcome != tc.want ||
				got.Marks[0].Hints.Has(queue.HintUnconfirmed) != (tc.want == unknown) {
				t.Errorf("%s: %+v", name, got)
			}
		}
	}
}

// The rule knows better what a status means.
func TestRedirectsThatRulesJudge(t *testing.T) {
	for _, tc := range []struct {
		success, refused *syntax.Answer
		want             event.Outcome
	}{
		{&syntax.Answer{Statuses: []string{"2xx", "302"}}, nil, event.OutcomeChanged},
		{nil, &syntax.Answer{Statuses: []string{"302"}}, event.OutcomeUnchanged},
		{nil, nil, event.OutcomeUnknown},
	} {
		q := new(recordingQueue)
		watcher := watcherFor(t, q, &syntax.Resource{Name: "items", Rules: []*syntax.Rule{
			{Kind: event.KindUpdate, Methods: []string{"PATCH"}, Path: "/items/:id", Success: tc.success, Refused: tc.refused},
		}})
		if _, err := send(watcher, "PATCH", "/items/5", "{}", answers(302, map[string]string{"Location": "/orders"}, "")); err != nil {
			t.Fatal(err)
		}
		marks := q.only(t).resolution.Marks
		if tc.want == event.OutcomeUnchanged {
			if len(marks) > 0 {
				t.Errorf("%+v", marks)
			}
			continue
		}
		if len(marks) != 1 || marks[0].Cause.Outcome != tc.want {
			t.Errorf("%s: %+v", tc.want, marks)
		}
	}
}
