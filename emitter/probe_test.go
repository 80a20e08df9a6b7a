// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/auth"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
)

// A test goes as a delivery goes: signed, authenticated, and within the egress policy.
// What is told of it has no credential.
func TestProbe(t *testing.T) {
	text := sign.Prefix + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
	secret, err := sign.ParseSecret(text)
	noError(t, err)
	password, err := auth.Headers(auth.Field{Name: "Authorization", Value: "Basic canary-password"}, auth.Field{Name: "X-Own", Value: "canary-own"})
	noError(t, err)
	verifier, err := standardwebhooks.NewWebhook(text)
	noError(t, err)
	var got http.Header
	answers := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		body, _ := io.ReadAll(r.Body)
		if err := verifier.Verify(body, r.Header); err != nil {
			t.Error(err)
		}
		if string(body) != `{"test":true}` || r.Method != http.MethodPost || r.Header.Get("Authorization") != "Basic canary-password" {
			t.Errorf("got %s %q %v", r.Method, body, r.Header)
		}
		switch r.URL.Path {
		case "/gone":
			w.WriteHeader(http.StatusGone)
		case "/elsewhere":
			http.Redirect(w, r, "/", http.StatusFound)
		case "/disable":
			w.Header().Set("Webhook-Delivery", "disable")
		}
		_, _ = fmt.Fprint(w, "answered")
	})
	server := httptest.NewServer(answers)
	defer server.Close()
	transport, err := egress.New(egress.Policy{AllowHTTP: true, AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, egress.Options{})
	noError(t, err)
	defer transport.Close()
	strict, err := egress.New(egress.Policy{AllowHTTP: true}, egress.Options{})
	noError(t, err)
	defer strict.Close()
	probe := func(url string, through http.RoundTripper) Probed {
		t.Helper()
		probed, err := Probe(t.Context(), Target{Transport: through, Endpoint: endpoint.Endpoint{
			Name: "ep_1", URL: url, Secrets: []sign.Secret{secret}, Auth: password, Timeout: time.Minute,
		}}, Options{})
		noError(t, err)
		for name, values := range probed.Header {
			if strings.Contains(strings.Join(values, ""), "canary") || len(values) == 0 {
				t.Errorf("it tells %s: %q", name, values)
			}
		}
		return probed
	}
	for path, want := range map[string]struct {
		accepted bool
		code     int
		words    string
	}{
		"/": {true, 200, ""}, "/gone": {false, 410, "answered 410 Gone"}, "/elsewhere": {false, 302, "answered 302 Found; redirects are not followed"},
		"/disable": {false, 200, "its receiver answered webhook-delivery: disable"},
	} {
		probed := probe(server.URL+path, transport)
		if probed.Accepted != want.accepted || probed.Attempt.Code != want.code || probed.Attempt.Error != want.words || !strings.HasSuffix(string(probed.Attempt.Response), "answered") {
			t.Errorf("%s: %+v", path, probed)
		}
		for _, name := range []string{"Webhook-Id", "Webhook-Signature", "Webhook-Timestamp", "Webhook-Hop", "Webhook-Op"} {
			if probed.Header.Get(name) == "" || probed.Header.Get(name) != got.Get(name) {
				t.Errorf("%s: %s was %q, and %q is told", path, name, got.Get(name), probed.Header.Get(name))
			}
		}
		if probed.Header.Get("Authorization") != Masked || probed.Header.Get("X-Own") != Masked || probed.Header.Get("Webhook-Op") != "test" {
			t.Errorf("%s: %v", path, probed.Header)
		}
	}
	// Of what did not answer, no more is told than of a delivery.
	for name, probed := range map[string]Probed{"blocked": probe(server.URL, strict), "closed": probe("http://127.0.0.1:1", transport)} {
		if probed.Accepted || probed.Attempt.Error != noAnswer || probed.Attempt.Duration != 0 || probed.Attempt.Code != 0 {
			t.Errorf("%s: %+v", name, probed.Attempt)
		}
	}
	if _, err := Probe(t.Context(), Target{Transport: transport, Endpoint: endpoint.Endpoint{Name: "x", URL: "gopher://x"}}, Options{}); !errors.Is(err, ErrBadTarget) && !errors.Is(err, endpoint.ErrBadEndpoint) {
		t.Errorf("got %v", err)
	}
}

// A transport that panics takes nobody with it.
func TestProbePanics(t *testing.T) {
	secret, err := sign.ParseSecret(sign.Prefix + base64.StdEncoding.EncodeToString(make([]byte, 32)))
	noError(t, err)
	probed, err := Probe(t.Context(), Target{Transport: panicking{}, Endpoint: endpoint.Endpoint{Name: "x", URL: "https://x.example", Secrets: []sign.Secret{secret}}}, Options{})
	if err != nil || probed.Accepted {
		t.Errorf("got %+v, %v", probed, err)
	}
}

type panicking struct{}

func (panicking) RoundTrip(*http.Request) (*http.Response, error) { panic("no") }

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
