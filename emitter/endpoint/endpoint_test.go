// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/auth"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
)

func someSecret(t testing.TB) sign.Secret {
	t.Helper()
	secret, err := sign.ParseSecret(sign.Prefix + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("k"), 32)))
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func TestEndpointValidate(t *testing.T) {
	secret := someSecret(t)
	key, err := sign.ParseKey("gateway-api-key")
	if err != nil {
		t.Fatal(err)
	}
	styled, err := sign.NewXSignature(sign.Style{}, key)
	if err != nil {
		t.Fatal(err)
	}
	inHeader := func(name string) auth.Authenticator {
		made, err := auth.Headers(auth.Field{Name: name, Value: "v"})
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	for _, test := range []struct {
		name   string
		change func(*Endpoint)
		// want is part of the error, or "" where the endpoint is valid.
		want string
	}{
		{"plain", func(*Endpoint) {}, ""},
		{"everything set", func(e *Endpoint) {
			e.Timeout, e.Concurrency = MaxTimeout, MaxConcurrency
			e.Schedule = []time.Duration{time.Nanosecond, MaxRetryDelay}
			e.Secrets = []sign.Secret{secret, secret, secret, secret}
		}, ""},
		{"no retries", func(e *Endpoint) { e.Schedule = []time.Duration{} }, ""},
		{"longest name", func(e *Endpoint) { e.Name = strings.Repeat("n", MaxNameLength) }, ""},
		{"no name", func(e *Endpoint) { e.Name = "" }, "endpoint NAME URL"},
		{"URL as name", func(e *Endpoint) { e.Name = "https://erp.example.com/secret-path" }, "a URL stands in place of the name"},
		{"name with a space", func(e *Endpoint) { e.Name = "my erp" }, `"my erp" may only have`},
		{"name with a slash", func(e *Endpoint) { e.Name = "a/b" }, `"a/b" may only have`},
		{"name of a parent folder", func(e *Endpoint) { e.Name = ".." }, `".." may only have`},
		{"name with a NUL", func(e *Endpoint) { e.Name = "a\x00b" }, "may only have"},
		{"long name", func(e *Endpoint) { e.Name = strings.Repeat("n", MaxNameLength+1) }, "has 65 characters"},
		{"no URL", func(e *Endpoint) { e.URL = "" }, "endpoint erp: it has no URL"},
		{"no secret", func(e *Endpoint) { e.Secrets = nil }, "endpoint erp: it has no secret"},
		{"no secret and no signature", func(e *Endpoint) { e.Secrets, e.Signatures = nil, []sign.Scheme{} }, ""},
		{"no secret for a signature", func(e *Endpoint) { e.Secrets, e.Signatures = nil, []sign.Scheme{sign.Standard{}} }, "endpoint erp: it has no secret"},
		{"two schemes for one header", func(e *Endpoint) { e.Signatures = []sign.Scheme{sign.Standard{}, sign.Standard{}} }, "need the header Webhook-Signature"},
		{"a credential in a signature's header", func(e *Endpoint) { e.Auth, e.Signatures = inHeader("X-Signature"), []sign.Scheme{styled} }, "need the header X-Signature"},
		{"a credential beside a signature", func(e *Endpoint) {
			e.Auth, e.Signatures = inHeader("X-Api-Key"), []sign.Scheme{sign.Standard{}, styled}
		}, ""},
		{"an empty secret", func(e *Endpoint) { e.Secrets = []sign.Secret{secret, {}} }, "it has no secret"},
		{"many secrets", func(e *Endpoint) { e.Secrets = make([]sign.Secret, 5); fill(e.Secrets, secret) }, "it has 5 secrets"},
		{"negative timeout", func(e *Endpoint) { e.Timeout = -time.Second }, "timeout -1s"},
		{"long timeout", func(e *Endpoint) { e.Timeout = time.Hour }, "timeout 1h0m0s"},
		{"retry at once", func(e *Endpoint) { e.Schedule = []time.Duration{0} }, "retry 0s"},
		{"retry after a year", func(e *Endpoint) { e.Schedule = []time.Duration{1, 365 * 24 * time.Hour} }, "retry 8760h0m0s"},
		{"endless retries", func(e *Endpoint) { e.Schedule = make([]time.Duration, 101) }, "retry has 101 delays"},
		{"negative concurrency", func(e *Endpoint) { e.Concurrency = -1 }, "concurrency -1"},
		{"boundless concurrency", func(e *Endpoint) { e.Concurrency = 1 << 20 }, "concurrency 1048576"},
	} {
		t.Run(test.name, func(t *testing.T) {
			endpoint := Endpoint{Name: "erp", URL: "https://erp.example.com/secret-path", Secrets: []sign.Secret{secret}}
			test.change(&endpoint)
			err := endpoint.Validate()
			if test.want == "" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			if !errors.Is(err, ErrBadEndpoint) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret-path") {
				t.Errorf("the error shows the URL's path: %v", err)
			}
		})
	}
}

func fill(secrets []sign.Secret, secret sign.Secret) {
	for i := range secrets {
		secrets[i] = secret
	}
}

func TestEndpointWithDefaults(t *testing.T) {
	endpoint := Endpoint{}.WithDefaults()
	if endpoint.Timeout != 10*time.Second || endpoint.Concurrency != 64 {
		t.Errorf("got timeout %s and concurrency %d", endpoint.Timeout, endpoint.Concurrency)
	}
	var total time.Duration
	for _, delay := range endpoint.Schedule {
		total += delay
	}
	if len(endpoint.Schedule) != 9 || total != 75*time.Hour+35*time.Minute+5*time.Second {
		t.Errorf("the schedule has %d delays of together %s", len(endpoint.Schedule), total)
	}
	once := Endpoint{Schedule: []time.Duration{}, Timeout: 1, Concurrency: 2}.WithDefaults()
	if len(once.Schedule) != 0 || once.Timeout != 1 || once.Concurrency != 2 {
		t.Errorf("defaults overrode what was set: %+v", once)
	}
}
