// SPDX-License-Identifier: Apache-2.0

package subscribers

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/auth"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
)

func TestResolve(t *testing.T) {
	template := endpoint.Endpoint{Timeout: 7 * time.Second, Order: endpoint.OrderNone, Concurrency: 3}
	e := deliverable("acme", "items.*")
	e.ID, e.Status = "ep_1", Paused
	made, err := e.Resolve(template)
	must(t, err)
	if made.Name != "ep_1" || made.Tenant != "acme" || !made.Paused || made.Timeout != 7*time.Second || made.Order != endpoint.OrderNone ||
		made.Concurrency != 3 || !made.Events.Match("items.created") || made.Events.Match("users.created") || len(made.Secrets) != 1 {
		t.Errorf("made %+v", made)
	}
	e.Order, e.Rate, e.Payload = endpoint.OrderEndpoint, "10/s", `{"kind":"standard"}`
	e.Secrets = append(e.Secrets, Secret{Text: aSecret, Until: time.Unix(1, 0)})
	made, err = e.Resolve(template)
	must(t, err)
	if made.Order != endpoint.OrderEndpoint || made.Rate.PerSecond() != 10 || !strings.Contains(made.Payload.String(), "standard") || len(made.Secrets) != 2 {
		t.Errorf("made %+v", made)
	}
	e.URL = ""
	if _, err := e.Resolve(template); !errors.Is(err, ErrNoURL) {
		t.Errorf("without a URL: %v", err)
	}
}

// Each signature is one that deliveries can be made with, and nothing else passes for
// one.
func TestResolveSignatures(t *testing.T) {
	for signature, want := range map[string]string{
		"": "Webhook-Signature", "standard": "Webhook-Signature", "rfc9421": "Signature", "none": "",
		"x-signature": "X-Signature", "x-signature github": "X-Hub-Signature-256", "x-signature stripe": "Stripe-Signature",
	} {
		e := deliverable("acme")
		e.ID, e.Signature = "ep_1", signature
		made, err := e.Resolve(endpoint.Endpoint{})
		must(t, err)
		header := http.Header{}
		for _, scheme := range made.WithDefaults().Signatures {
			scheme.Sign(sign.Message{ID: "evt_1", URL: &url.URL{Scheme: "https", Host: "a.example"}, At: time.Now(), Body: []byte("{}")}, made.Secrets, header)
		}
		if _, has := header[want]; want != "" && !has || want == "" && len(header) > 0 {
			t.Errorf("%q signs with %v", signature, header)
		}
	}
	for _, signature := range []string{"x-signature nobody", "standard ", "Standard", "x", "none none"} {
		e := deliverable("acme")
		e.ID, e.Signature = "ep_1", signature
		if _, err := e.Resolve(endpoint.Endpoint{}); err == nil {
			t.Errorf("%q is a signature", signature)
		}
	}
	e := deliverable("acme")
	e.ID, e.Secrets = "ep_1", nil
	if _, err := e.Resolve(endpoint.Endpoint{}); err == nil {
		t.Error("it is signed with no secret")
	}
}

// A subscriber's headers and credentials stand in deliveries; the operator's do if
// there are none.
func TestResolveHeaders(t *testing.T) {
	operators, err := auth.Bearer("operator")
	must(t, err)
	for name, test := range map[string]struct {
		auth     *Auth
		headers  map[string]string
		template auth.Authenticator
		want     map[string]string
	}{
		"nothing":          {},
		"basic":            {auth: &Auth{"basic", "ada", "pass:word"}, want: map[string]string{"Authorization": "Basic YWRhOnBhc3M6d29yZA=="}},
		"bearer, a header": {auth: &Auth{"bearer", "", "t"}, headers: map[string]string{"X-A": "1"}, want: map[string]string{"Authorization": "Bearer t", "X-A": "1"}},
		"a header":         {auth: &Auth{"header", "X-Key", "k"}, template: operators, want: map[string]string{"X-Key": "k"}},
		"the operator's":   {template: operators, want: map[string]string{"Authorization": "Bearer operator"}},
		"only headers":     {headers: map[string]string{"x-b": "2"}, want: map[string]string{"X-B": "2"}},
	} {
		e := deliverable("acme")
		e.ID, e.Auth, e.Headers = "ep_1", test.auth, test.headers
		made, err := e.Resolve(endpoint.Endpoint{Auth: test.template})
		must(t, err)
		header := http.Header{}
		if made.Auth != nil {
			must(t, made.Auth.Authenticate(t.Context(), nil, header))
		}
		for key, value := range test.want {
			if header.Get(key) != value {
				t.Errorf("%s: %v, want %v", name, header, test.want)
			}
		}
		if len(header) != len(test.want) {
			t.Errorf("%s: %v, want %v", name, header, test.want)
		}
	}
	e := deliverable("acme")
	e.ID, e.Headers = "ep_1", map[string]string{"X-A": "1"}
	if _, err := e.Resolve(endpoint.Endpoint{Auth: operators}); err == nil {
		t.Error("headers beside the operator's credentials")
	}
	e.Headers, e.Auth = nil, &Auth{Scheme: "digest"}
	if _, err := e.Resolve(endpoint.Endpoint{}); err == nil {
		t.Error("an unknown scheme")
	}
}
