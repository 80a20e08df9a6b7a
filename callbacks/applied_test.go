// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

// Whatever changes how an endpoint is delivered to is answered when deliveries go by it;
// if they cannot, the answer says so, and a repeat does no harm.
func TestChangesAreAppliedBeforeTheAnswer(t *testing.T) {
	waited, fails := 0, error(nil)
	s := newStage(t, func(o *Options) {
		o.Applied = func(ctx context.Context) error {
			if _, limited := ctx.Deadline(); !limited {
				t.Error("it would wait for ever")
			}
			waited++
			return fails
		}
	})
	path := "/endpoints/" + s.create("acme", simple).text("id")
	s.as("acme", http.MethodPost, path+"/secrets", `{"overlap":"1h"}`).want(t, 201)
	secret := s.as("acme", http.MethodGet, path, "").json["secrets"].([]any)[1].(map[string]any)["id"].(string)
	for _, tc := range []struct{ method, path, body string }{
		{http.MethodPatch, path, `{"auth":null}`},
		{http.MethodPut, path, simple},
		{http.MethodPost, path + "/pause", ""},
		{http.MethodPost, path + "/resume", ""},
		{http.MethodDelete, path + "/secrets/" + secret, ""},
		{http.MethodPost, path + "/secrets", `{"overlap":"0s"}`},
		{http.MethodDelete, path, ""},
	} {
		before := waited
		if got := s.as("acme", tc.method, tc.path, tc.body); got.status > 299 || waited != before+1 {
			t.Errorf("%s %s: answered %d, waited %d times", tc.method, tc.path, got.status, waited-before)
		}
	}
	path = "/endpoints/" + s.create("acme", simple).text("id")
	fails = context.DeadlineExceeded
	for range 2 {
		got := s.as("acme", http.MethodPatch, path, `{"auth":null}`).want(t, http.StatusServiceUnavailable, "it is stored", "send the same again")
		if got.header.Get("Retry-After") == "" {
			t.Error("it does not say when")
		}
	}
	// What has made a secret is answered with it: a repeat would make another one.
	path = "/endpoints/" + s.create("acme", strings.Replace(simple, `{`, `{"signature":"none",`, 1)).text("id")
	for _, tc := range []struct{ method, path, body string }{
		{http.MethodPatch, path, `{"signature":"standard"}`},
		{http.MethodPost, path + "/secrets", `{"overlap":"0s"}`},
	} {
		got := s.as("acme", tc.method, tc.path, tc.body)
		if got.status > 299 || got.json["delayed"] != true || !strings.HasPrefix(got.text("secret"), "whsec_") {
			t.Errorf("%s %s: answered %d, %s", tc.method, tc.path, got.status, got.body)
		}
	}
	fails = nil
	if got := s.as("acme", http.MethodPost, path+"/secrets", `{}`).want(t, 201); got.json["delayed"] != nil {
		t.Errorf("it was delayed: %s", got.body)
	}
	s.as("acme", http.MethodPatch, path, `{"auth":null}`).want(t, http.StatusOK)
}
