// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// An id that stands for the caller names no object by itself: with the operator's
// credential it would be the operator's.
func TestCallerIDs(t *testing.T) {
	for _, tc := range []struct {
		resource       syntax.Resource
		method, target string
		answer, want   string
	}{
		{syntax.Resource{}, "PATCH", "/users/me", `{"id":"u1"}`, "u1"},
		{syntax.Resource{}, "PATCH", "/users/ME", `{"user":{"id":7}}`, "7"},
		{syntax.Resource{}, "PATCH", "/users/%6de", `{"id":"u1"}`, "u1"},
		{syntax.Resource{}, "PATCH", "/users/self", ``, "unresolved"},
		{syntax.Resource{}, "DELETE", "/users/me", ``, "unresolved"},
		{syntax.Resource{}, "PATCH", "/users/me", `{"id":"me"}`, "unresolved"},
		{syntax.Resource{}, "PATCH", "/users/me", `{"id":"u1","id":"u2"}`, "unresolved"},
		{syntax.Resource{}, "POST", "/users/me/photos", `{"id":"9"}`, "unresolved"},
		{syntax.Resource{}, "POST", "/users", `{"id":"me"}`, "unresolved"},
		{syntax.Resource{}, "PATCH", "/users/mel", ``, "mel"},
		{syntax.Resource{Aliases: true}, "PATCH", "/users/me", ``, "unresolved"},
		{syntax.Resource{ShowFrom: syntax.ShowFromCaller}, "PATCH", "/users/me", ``, "unresolved"},
		{syntax.Resource{ShowFrom: syntax.ShowFromCaller, Aliases: true}, "PATCH", "/users/me", ``, "me"},
		{syntax.Resource{CallerIDs: []string{"mine"}}, "PATCH", "/users/mine", ``, "unresolved"},
		{syntax.Resource{CallerIDs: []string{"mine"}}, "PATCH", "/users/me", ``, "me"},
		{syntax.Resource{CallerIDs: []string{"none"}}, "PATCH", "/users/me", ``, "me"},
		{syntax.Resource{Show: &syntax.Request{Path: "/users?id={id}"}, ID: []string{"query:id"}, Rules: []*syntax.Rule{{Kind: "update", Path: "/users"}}}, "POST", "/users?id=me", `{"id":"u1"}`, "unresolved"},
	} {
		q := new(recordingQueue)
		tc.resource.Name = "users"
		sendBody(t, watcherFor(t, q, &tc.resource), httptest.NewRequest(tc.method, tc.target, nil), http.StatusOK, tc.answer)
		if got := ended(t, q); got != tc.want {
			t.Errorf("%s %s answered with %s: %s, want %s", tc.method, tc.target, tc.answer, got, tc.want)
		}
	}
	// A Show of it that passes is not compared with anything.
	q := new(recordingQueue)
	sendBody(t, watcherFor(t, q, &syntax.Resource{Name: "users"}), httptest.NewRequest(http.MethodGet, "/users/me", nil), http.StatusOK, `{"id":"u1"}`)
	if len(q.sightings) > 0 {
		t.Errorf("observed %v", q.sightings)
	}
}
