// SPDX-License-Identifier: Apache-2.0

package subscribers

import (
	"errors"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
)

var some = Offer{
	Auth: []string{"none", "basic"}, Signature: []string{"x-signature", "none"}, Payload: []string{"standard", "fields"}, Order: []string{"endpoint"}, NoRate: true,
}

// What is not offered is refused, with what is.
func TestOffers(t *testing.T) {
	basic, bearer := &Auth{Scheme: "basic", Name: "u", Credential: "p"}, &Auth{Scheme: "bearer", Credential: "t"}
	for _, test := range []struct {
		name    string
		offer   Offer
		e       Endpoint
		pointer string
		remedy  string
	}{
		{"nothing", some, Endpoint{}, "-", ""},
		{"all of it", some, Endpoint{Auth: basic, Signature: "x-signature github", Payload: `{"kind":"fields","fields":[{"name":"a","path":"b"}]}`, Order: endpoint.OrderEndpoint}, "-", ""},
		{"without an offer", Offer{}, Endpoint{Auth: bearer, Signature: "rfc9421", Payload: `{"kind":"thin"}`, Order: endpoint.OrderNone, Rate: "1/s"}, "-", ""},
		{"auth", some, Endpoint{Auth: bearer}, "/auth", "none or basic"},
		{"no auth", Offer{Auth: []string{"basic", "bearer"}}, Endpoint{}, "/auth", "basic or bearer"},
		{"signature", some, Endpoint{Signature: "standard"}, "/signature", "x-signature or none"},
		{"payload", some, Endpoint{Payload: `{"kind":"thin"}`}, "/payload", "standard or fields"},
		{"order", some, Endpoint{Order: endpoint.OrderObject}, "/order", "leave it out"},
		{"rate", some, Endpoint{Rate: "1/s"}, "/rate", "leave it out"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.offer.Complete(&test.e)
			err := test.offer.Admits(&test.e)
			var wrong *FieldError
			pointer, remedy := "-", ""
			if errors.As(err, &wrong) {
				pointer, remedy = wrong.Pointer, wrong.Remedy
			}
			if pointer != test.pointer || !strings.Contains(remedy, test.remedy) {
				t.Errorf("got %v, want %s", err, test.pointer)
			}
		})
	}
}

// What was made under another offer is held to this one; what this one offers stays.
func TestHold(t *testing.T) {
	for _, e := range []Endpoint{
		{},
		{Auth: &Auth{Scheme: "bearer", Credential: "t"}, Signature: "rfc9421", Payload: `{"kind":"thin"}`, Order: endpoint.OrderNone, Rate: "1/s"},
	} {
		some.Hold(&e)
		if err := some.Admits(&e); err != nil {
			t.Error(err)
		}
		if e.Auth != nil || e.Signature != "x-signature" || e.Payload != `{"kind":"standard"}` || e.Order != endpoint.OrderEndpoint || e.Rate != "" {
			t.Errorf("got %+v", e)
		}
	}
	kept := Endpoint{Auth: &Auth{Scheme: "basic"}, Signature: "x-signature github", Payload: `{"kind":"fields","fields":[{"name":"a","path":"b"}]}`, Order: endpoint.OrderEndpoint}
	held := kept
	some.Hold(&held)
	if held.Auth != kept.Auth || held.Signature != kept.Signature || held.Payload != kept.Payload {
		t.Errorf("got %+v", held)
	}
}

// What one format has in the place of the Show is the operator's, whatever an endpoint had
// before.
func TestDataForAll(t *testing.T) {
	offer := Offer{Payload: []string{"gateway"}, Data: []payload.Field{{Name: "object", Path: "."}}}
	const want = `{"kind":"gateway","data":[{"name":"object","path":"."}]}`
	for has, admitted := range map[string]bool{
		"":                   true,
		`{"kind":"gateway"}`: true,
		want:                 true,
		`{"kind":"gateway","data":[{"name":"other","path":"."}]}`: false,
		`{"kind":"standard"}`: false,
		`{"kind":"show"}`:     false,
	} {
		e := Endpoint{Payload: has}
		offer.Complete(&e)
		if err := offer.Admits(&e); (err == nil) != admitted || admitted && e.Payload != want {
			t.Errorf("%s became %s: %v", has, e.Payload, err)
		}
		e = Endpoint{Payload: has}
		if offer.Hold(&e); e.Payload != want {
			t.Errorf("%s is held to %s", has, e.Payload)
		}
	}
	e := Endpoint{Payload: `{"kind":"gateway","previous":true}`}
	if offer.Complete(&e); offer.Admits(&e) != nil || !strings.Contains(e.Payload, `"previous":true`) {
		t.Errorf("previous is theirs to say, and became %s", e.Payload)
	}
}

func TestOffersThatAreNone(t *testing.T) {
	for want, offer := range map[string]Offer{
		"auth offers none, basic": {Auth: []string{"digest"}},
		"twice":                   {Signature: []string{"none", "none"}},
		"payload offers show":     {Payload: []string{"envelope"}},
		"order offers object":     {Order: []string{"random"}},
		"cannot come first":       {Payload: []string{"fields"}},
		"data is that of one":     {Payload: []string{"standard", "gateway"}, Data: []payload.Field{{Name: "a", Path: "."}}},
		"payload: ":               {Payload: []string{"gateway"}, Data: []payload.Field{{Name: "", Path: "."}}},
	} {
		if err := offer.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if err := some.Check(); err != nil {
		t.Error(err)
	}
}
