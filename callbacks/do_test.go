// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

func asked(method, path, body string, more ...string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", typeJSON)
	}
	for pair := range slices.Chunk(more, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	return r
}

// Within the process, the same is done as over HTTP, for the same tenants and within the
// same limits.
func TestDo(t *testing.T) {
	s := newStage(t)
	acme, umbrella := Caller{Tenant: "acme", Name: "Mara"}, Caller{Tenant: "umbrella", Name: "Wesker"}
	made, err := Do[EndpointView](s.server, acme, asked(http.MethodPost, "/endpoints", simple, "Idempotency-Key", "once"))
	must(t, err)
	if made.Status != http.StatusCreated || made.Body.Secret == "" || made.ETag == "" {
		t.Errorf("made %+v", made)
	}
	again, err := Do[EndpointView](s.server, acme, asked(http.MethodPost, "/endpoints", simple, "Idempotency-Key", "once"))
	if err != nil || again.Body.ID != made.Body.ID || again.Body.Secret != made.Body.Secret {
		t.Errorf("repeated: %+v, %v", again, err)
	}
	listed, err := Do[List[EndpointView]](s.server, acme, asked(http.MethodGet, "/endpoints", ""))
	if err != nil || len(listed.Body.Data) != 1 {
		t.Errorf("listed %+v, %v", listed, err)
	}
	audited, err := Do[List[subscribers.Audited]](s.server, acme, asked(http.MethodGet, "/audit", ""))
	if err != nil || len(audited.Body.Data) != 1 || audited.Body.Data[0].Who != "Mara" {
		t.Errorf("audited %+v, %v", audited, err)
	}
	for name, r := range map[string]*http.Request{
		"another's":   asked(http.MethodGet, "/endpoints/"+made.Body.ID, ""),
		"no path":     asked(http.MethodGet, "/nowhere", ""),
		"no method":   asked(http.MethodPut, "/endpoints", ""),
		"what is not": asked(http.MethodDelete, "/endpoints/ep_x", ""),
	} {
		var p *Problem
		if _, err := Do[EndpointView](s.server, umbrella, r); !errors.As(err, &p) || p.Status != http.StatusNotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Do[Why](s.server, acme, asked(http.MethodGet, "/endpoints", "")); err == nil || !strings.Contains(s.log.String(), "could not be read") {
		t.Errorf("another type: %v", err)
	}
	for range callsBurst {
		_, err = Do[List[EndpointView]](s.server, acme, asked(http.MethodGet, "/endpoints", ""))
	}
	var p *Problem
	if !errors.As(err, &p) || p.Status != http.StatusTooManyRequests || p.RetryAfter() <= 0 {
		t.Errorf("no limit: %v", err)
	}
}
