// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/auth"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
)

// The checksum changes with whatever a request shows, and with nothing else.
func TestSettings(t *testing.T) {
	headers := func(fields ...auth.Field) auth.Authenticator {
		made, err := auth.Headers(fields...)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	of := func(change func(*Endpoint)) uint16 {
		e := Endpoint{
			Name: "ep_1", URL: "https://erp.example/h", Tenant: "acme", Signatures: []sign.Scheme{sign.Standard{}},
			Auth: headers(auth.Field{Name: "Authorization", Value: "one"}), Timeout: time.Second,
		}
		change(&e)
		return e.Settings(e.Payload)
	}
	same := of(func(*Endpoint) {})
	for name, change := range map[string]func(*Endpoint){
		"another credential": func(e *Endpoint) { e.Auth = headers(auth.Field{Name: "Authorization", Value: "another"}) },
		"another key":        func(e *Endpoint) { e.Secrets = make([]sign.Secret, 1) },
		"another timeout":    func(e *Endpoint) { e.Timeout, e.Order, e.Paused = time.Minute, OrderNone, true },
	} {
		if of(change) != same {
			t.Errorf("%s changes it", name)
		}
	}
	rfc9421, err := sign.NewMessageSignatures()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Endpoint){
		"the name":         func(e *Endpoint) { e.Name = "ep_2" },
		"the path":         func(e *Endpoint) { e.URL += "/x" },
		"the tenant":       func(e *Endpoint) { e.Tenant = "umbrella" },
		"the trace":        func(e *Endpoint) { e.Trace = true },
		"the signature":    func(e *Endpoint) { e.Signatures = []sign.Scheme{rfc9421} },
		"no signature":     func(e *Endpoint) { e.Signatures = []sign.Scheme{} },
		"no authorization": func(e *Endpoint) { e.Auth = nil },
		"another header":   func(e *Endpoint) { e.Auth = headers(auth.Field{Name: "X-Key", Value: "one"}) },
		"one more header": func(e *Endpoint) {
			e.Auth = headers(auth.Field{Name: "Authorization", Value: "one"}, auth.Field{Name: "X-Key", Value: "one"})
		},
		"the payload": func(e *Endpoint) {
			if e.Payload, err = payload.New(payload.Config{Kind: payload.Thin}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		if of(change) == same {
			t.Errorf("%s does not change it", name)
		}
	}
}
