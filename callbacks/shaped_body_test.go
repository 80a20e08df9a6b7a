// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/shape"
	"github.com/caddy-webhooks/caddy-webhooks/internal/weblink"
)

// What is wrong is told in the names of whoever sent it, whoever finds it.
func TestTranslatedPointers(t *testing.T) {
	s := newStage(t, withShape(t, assembly+"put PUT /typed/:type\n", map[string]string{
		shape.Endpoint: "in callbacks id callback.url=url object_type=type description=label enabled secret extra=headers how=auth.scheme password=auth.credential",
	}), func(o *Options) { o.Policy.OnePerType = true })
	for _, test := range []struct {
		name, body string
		status     int
		pointers   string
	}{
		{"unknown", `{"url":"https://erp.example/"}`, 400, "/url"},
		{"unknown, within", `{"callbacks":{"callback":{"href":"x"},"label":"x"}}`, 400, "/callbacks/callback/href /callbacks/label"},
		{"a wrong type", `{"callback":{"url":1},"extra":{"a":1}}`, 400, "/callback/url /extra/a"},
		{"no URL", `{"callback":{"url":"erp.example"}}`, 422, "/callback/url"},
		{"wrapped", `{"callbacks":{"callback":{"url":"erp.example"}}}`, 422, "/callbacks/callback/url"},
		{"blocked", `{"callback":{"url":"https://inner.example/"}}`, 422, "/callback/url"},
		{"a header", `{"extra":{"Webhook-Id":"x"}}`, 422, "/extra/Webhook-Id"},
		{"a credential", `{"how":"basic","password":""}`, 422, "/password"},
		{"no type of theirs", `{"object_type":"process.unknown"}`, 400, "/object_type"},
		{"what is ours", `{"id":"x","secret":"y"}`, 400, "/id /secret"},
		{"not an object", `[]`, 400, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := s.as("acme", "POST", "/callbacks", test.body).want(t, test.status)
			if pointers := strings.Join(got.pointers(), " "); pointers != test.pointers {
				t.Errorf("got %q, want %q: %s", pointers, test.pointers, got.body)
			}
		})
	}
	s.as("acme", "POST", "/callbacks", `{"object_type":"items"}`).want(t, 201)
	if got := s.as("acme", "POST", "/callbacks", `{"object_type":"items"}`).want(t, 422); got.pointers()[0] != "/object_type" {
		t.Errorf("the policy: %s", got.body)
	}
	if got := s.as("acme", "PUT", "/typed/5", `{"object_type":6}`).want(t, 422); got.pointers()[0] != "/object_type" {
		t.Errorf("another type than the path: %s", got.body)
	}
	if got := s.as("acme", "PUT", "/typed/5", `{"callbacks":{"object_type":6}}`).want(t, 422); got.pointers()[0] != "/callbacks/object_type" {
		t.Errorf("another type than the path, wrapped: %s", got.body)
	}
	s.prober.refuse = true
	if got := s.as("acme", "POST", "/callbacks", `{"callback":{"url":"https://erp.example/"},"object_type":5}`).want(t, 422, "verification-failed"); got.pointers()[0] != "/callback/url" {
		t.Errorf("a test: %s", got.body)
	}
	if got := s.as("acme", "GET", "/callbacks?limit=x", "").want(t, 400); got.pointers()[0] != "?limit" {
		t.Errorf("a parameter: %s", got.body)
	}
}

// Forms say the same as JSON, but not from pages of other sites.
func TestShapedForms(t *testing.T) {
	s := newStage(t, withShape(t, assembly+"put PUT /typed/:type\n", assemblyShapes))
	form := func(method, path, body string, more ...string) reply {
		return s.as("acme", method, path, body, append([]string{"Content-Type", "application/x-www-form-urlencoded"}, more...)...)
	}
	made := form("POST", "/callbacks", url.Values{"url": {"https://erp.example/h"}, "object_type": {"5"}, "enabled": {"false"}}.Encode()).want(t, 201, `"object_type":5`, `"enabled":false`)
	id := made.json["callbacks"].(map[string]any)["id"].(string)
	form("PATCH", "/callbacks/"+id, "description=a+b&enabled=1").want(t, 200, `"description":"a b"`, `"enabled":true`, `"url":"https://erp.example/h"`)
	form("PUT", "/typed/5", "url=https%3A%2F%2Fnew.example%2F").want(t, 200, "new.example", id)
	for body, pointer := range map[string]string{"label=x": "/label", "enabled=maybe": "/enabled", "url=a&url=b": "/url", "object_type=9": "/object_type", "extra=x": "/extra"} {
		if got := form("POST", "/callbacks", body).want(t, 400); got.pointers()[0] != pointer {
			t.Errorf("%s: %s", body, got.body)
		}
	}
	form("POST", "/callbacks", "%zz").want(t, 400)
	if got := form("POST", "/callbacks", "url=erp").want(t, 422); got.pointers()[0] != "/url" {
		t.Errorf("got %s", got.body)
	}
	form("POST", "/callbacks", "url=https%3A%2F%2Fevil.example%2F", "Sec-Fetch-Site", "cross-site").want(t, 403, "problems/cross-site")
	form("POST", "/callbacks", "url=https%3A%2F%2Fevil.example%2F", "Origin", "https://evil.example").want(t, 403)
	form("POST", "/callbacks", "description=x", "Sec-Fetch-Site", "same-origin").want(t, 201)
	s.as("acme", "POST", "/callbacks", "url=x", "Content-Type", "text/plain").want(t, 415)
	// Without a shape, a form has our names.
	s = newStage(t, withShape(t, "create POST /callbacks", nil))
	form("POST", "/callbacks", "events=a&events=b&payload.format=thin&auth.scheme=bearer&auth.credential=x").want(t, 201, `"events":["a","b"]`, `"format":"thin"`, `"scheme":"bearer"`)
	if got := form("POST", "/callbacks", "auth=x").want(t, 400); got.pointers()[0] != "/auth" {
		t.Errorf("got %s", got.body)
	}
}

// Lists of another shape say where they go on in a Link.
func TestShapedPages(t *testing.T) {
	s := newStage(t, withShape(t, assembly, assemblyShapes))
	for range 5 {
		s.as("acme", "POST", "/callbacks", `{}`).want(t, 201)
	}
	seen, target := map[string]bool{}, "/webhooks/callbacks?limit=2"
	for range 3 {
		page := s.as("acme", "GET", strings.TrimPrefix(target, "/webhooks"), "").want(t, 200)
		for _, of := range page.json["callbacks"].([]any) {
			seen[of.(map[string]any)["id"].(string)] = true
		}
		target = weblink.Next(page.header)
	}
	if len(seen) != 5 || target != "" {
		t.Errorf("saw %v, and then comes %q", seen, target)
	}
}

// A repeat gets the first answer in the same names, with the secret.
func TestShapedIdempotency(t *testing.T) {
	s := newStage(t, withShape(t, assembly+"put PUT /typed/:type\n", assemblyShapes))
	first := s.as("acme", "POST", "/callbacks", `{"object_type":5}`, "Idempotency-Key", "1").want(t, 201)
	again := s.as("acme", "POST", "/callbacks", `{"object_type":5}`, "Idempotency-Key", "1").want(t, 201)
	if first.body != again.body || again.header.Get("Idempotency-Replayed") != "true" || !strings.Contains(again.body, "whsec_") {
		t.Errorf("got %s, then %s", first.body, again.body)
	}
	first = s.as("acme", "PUT", "/typed/6", `{}`, "Idempotency-Key", "2").want(t, 201, "whsec_")
	if again = s.as("acme", "PUT", "/typed/6", `{}`, "Idempotency-Key", "2").want(t, 201); first.body != again.body {
		t.Errorf("got %s, then %s", first.body, again.body)
	}
	s.as("acme", "PUT", "/typed/6", `{}`, "Idempotency-Key", "3").want(t, 200)
}
