// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
)

// ed returns a private key, as text and parsed.
func ed(t *testing.T, seed string) (string, sign.Secret) {
	t.Helper()
	text := sign.PrivatePrefix + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(seed, 32)))
	secret, err := sign.ParseSecret(text)
	must(t, err)
	return text, secret
}

// A tenant is told of the public keys of its own endpoints, made or configured, and of no
// others; what is secret is in none.
func TestPublicKeys(t *testing.T) {
	ours, ourKey := ed(t, "a")
	theirs, theirKey := ed(t, "b")
	_, configured := ed(t, "c")
	_, operators := ed(t, "d")
	named, err := sign.NewMessageSignatures("2026")
	must(t, err)
	set, err := endpoint.NewSet(
		endpoint.Endpoint{Name: "erp", URL: "https://erp.example", Tenant: "acme", Secrets: []sign.Secret{configured}, Signatures: []sign.Scheme{named}},
		endpoint.Endpoint{Name: "audit", URL: "https://audit.example", Secrets: []sign.Secret{operators}},
	)
	must(t, err)
	s := newStage(t, func(o *Options) {
		o.Policy.Offer.OwnSecret = true
		o.Endpoints = func() *endpoint.Set { return set }
	})
	s.as("umbrella", http.MethodGet, "/public-keys", "").want(t, 200, `{"keys":[]}`)
	s.create("acme", simple) // it has a shared secret
	id := s.create("acme", strings.Replace(simple, `{`, `{"secret":"`+ours+`",`, 1)).text("id")
	second := s.create("acme", `{"secret":"`+ours+`","signature":"rfc9421"}`).text("id") // it reads its feed
	s.create("umbrella", strings.Replace(simple, `{`, `{"secret":"`+theirs+`",`, 1))

	got := s.as("acme", http.MethodGet, "/public-keys", "").want(t, 200)
	keys := got.json["keys"].([]any)
	if len(keys) != 2 {
		t.Fatalf("got %s", got.body)
	}
	for _, one := range keys {
		key := one.(map[string]any)
		raw, err := base64.RawURLEncoding.DecodeString(key["x"].(string))
		must(t, err)
		if key["whpk"] != sign.PublicPrefix+base64.StdEncoding.EncodeToString(raw) {
			t.Errorf("x and whpk are two keys: %v", key)
		}
		endpoints := key["endpoints"].([]any)
		switch key["whpk"] {
		case ourKey.Public():
			if key["kid"] != ourKey.Fingerprint() || len(endpoints) != 2 || endpoints[0] != min(id, second) || endpoints[1] != max(id, second) {
				t.Errorf("got %v", key)
			}
		case configured.Public():
			if key["kid"] != "2026" || len(endpoints) != 0 {
				t.Errorf("got %v", key)
			}
		default:
			t.Errorf("whose is %v?", key)
		}
	}
	s.as("umbrella", http.MethodGet, "/public-keys", "").want(t, 200, theirKey.Public())
	for _, secret := range []string{ours, theirs, sign.PrivatePrefix, operators.Public(), "erp"} {
		if strings.Contains(got.body, secret) {
			t.Errorf("%s is in %s", secret, got.body)
		}
	}

	// A key that was replaced verifies until its end, and then it is gone.
	s.as("acme", http.MethodPost, "/endpoints/"+id+"/secrets", `{"overlap":"0s"}`).want(t, 201)
	s.as("acme", http.MethodPost, "/endpoints/"+second+"/secrets", `{"overlap":"1h"}`).want(t, 201)
	got = s.as("acme", http.MethodGet, "/public-keys", "").want(t, 200, `"endpoints":["`+second+`"],"until":"`)
	if strings.Contains(got.body, id) {
		t.Errorf("got %s", got.body)
	}
	s.as("nobody", http.MethodGet, "/public-keys", "").want(t, 401)

	// Callers who share one tenant, which has no name, are not the operator.
	for _, named := range []bool{false, true} {
		s.options.Named = named
		s.options.Authorize = []Authorize{AsOperator("")}
		s.server = New(*s.options, NoLimits())
		if got := s.as("", http.MethodGet, "/public-keys", "").want(t, 200); strings.Contains(got.body, operators.Public()) != named {
			t.Errorf("named %t: got %s", named, got.body)
		}
	}
}
