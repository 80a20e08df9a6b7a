// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"net/http"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// An answer of 201 says that something was created: the object of an update only if it
// is the target of the request, or the Location names it.
func TestWhatWasCreated(t *testing.T) {
	for _, tc := range []struct {
		method, target, location string
		created                  bool
	}{
		{http.MethodPut, "/items/1", "", true},
		{http.MethodPut, "/items/1", "/items/1", true},
		{http.MethodPut, "/items/1", "/items/1/", true},
		{http.MethodPut, "/items/1", "/api/v1/items/1", true},
		{http.MethodPut, "/items/1", "/items/2", false},
		{http.MethodPut, "/items/1", "/items/1/versions/7", false},
		{http.MethodPut, "/items/1", "https://other.example/items/1", false},
		{http.MethodPost, "/items/1/comments", "", false},
		{http.MethodPost, "/items/1/comments", "/items/1/comments/1", false},
		{http.MethodPost, "/items/1/comments", "/items/1/comments/7", false},
		{http.MethodPost, "/items/1/publish", "/items/1", true},
	} {
		q := new(recordingQueue)
		header := map[string]string{}
		if tc.location != "" {
			header["Location"] = tc.location
		}
		if _, err := send(watcherFor(t, q, &syntax.Resource{Name: "items"}), tc.method, tc.target, "", answers(201, header, "")); err != nil {
			t.Fatal(err)
		}
		if got := q.only(t).resolution.Marks[0].Hints; got.Has(queue.HintCreated) != tc.created {
			t.Errorf("%s %s, Location %q: hints %b", tc.method, tc.target, tc.location, got)
		}
	}
}
