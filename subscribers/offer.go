// SPDX-License-Identifier: Apache-2.0

package subscribers

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
)

// AuthNone is the word for endpoints without credentials.
const AuthNone = "none"

// Offer says what endpoints may have. Of each list, the first is what an endpoint has
// that says nothing; an empty one offers all that there is.
type Offer struct {
	// Auth are the schemes of authentication, and [AuthNone].
	Auth []string
	// Signature are the ways of signing, Payload the formats, and Order the orders.
	Signature, Payload, Order []string
	// Data is what the one format that is offered has in the place of the Show; without
	// it, that is theirs to say.
	Data []payload.Field
	// NoRate leaves no rate to say: it is the operator's.
	NoRate bool
	// OwnSecret lets an endpoint be signed with a secret that its owner sends. Otherwise
	// each is made here.
	OwnSecret bool
}

// choice is one member of an endpoint of which some values are offered.
type choice struct {
	pointer string
	offered []string
	// is returns what the endpoint has, "" for what it does not say.
	is func(e *Endpoint) string
	// set gives it one of those that are offered.
	set func(e *Endpoint, value string)
}

func (o Offer) choices() []choice {
	return []choice{
		{
			"/auth", o.Auth,
			func(e *Endpoint) string {
				if e.Auth == nil {
					return AuthNone
				}
				return e.Auth.Scheme
			},
			func(e *Endpoint, _ string) { e.Auth = nil },
		},
		{
			"/signature", o.Signature,
			func(e *Endpoint) string { scheme, _, _ := strings.Cut(e.Signature, " "); return scheme },
			func(e *Endpoint, value string) { e.Signature = value },
		},
		{
			"/payload", o.Payload,
			func(e *Endpoint) string {
				if e.Payload == "" {
					return ""
				}
				format, err := payload.Parse(e.Payload)
				if err != nil {
					return e.Payload // whoever checks the endpoint says what is wrong
				}
				return string(format.Kind())
			},
			func(e *Endpoint, value string) {
				if format, err := payload.New(payload.Config{Kind: payload.Kind(value)}); err == nil {
					e.Payload = format.String()
				}
			},
		},
		{
			"/order", o.Order,
			func(e *Endpoint) string { return string(e.Order) },
			func(e *Endpoint, value string) { e.Order = endpoint.Order(value) },
		},
	}
}

// Complete gives an endpoint what it does not say.
func (o Offer) Complete(e *Endpoint) {
	for _, of := range o.choices() {
		if len(of.offered) > 0 && of.is(e) == "" {
			of.set(e, of.offered[0])
		}
	}
	if format, err := formatOf(e); err == nil && len(o.Data) > 0 && len(format.Data) == 0 {
		o.setData(e, format)
	}
}

// setData gives the payload of an endpoint the data that is the same for all.
func (o Offer) setData(e *Endpoint, format payload.Config) {
	format.Data = o.Data
	if made, err := payload.New(format); err == nil {
		e.Payload = made.String()
	}
}

// formatOf returns the payload of an endpoint.
func formatOf(e *Endpoint) (format payload.Config, err error) {
	if e.Payload == "" {
		return payload.Config{Kind: payload.Show}, nil
	}
	err = json.Unmarshal([]byte(e.Payload), &format)
	return format, err
}

// sameData reports whether the payload of an endpoint has the data that is the same for
// all.
func (o Offer) sameData(e *Endpoint) bool {
	format, err := formatOf(e)
	return len(o.Data) == 0 || err == nil && slices.Equal(format.Data, o.Data)
}

// Admits reports, as a [FieldError], what of an endpoint is not offered. It must have
// been completed.
func (o Offer) Admits(e *Endpoint) error {
	for _, of := range o.choices() {
		switch has := of.is(e); {
		case len(of.offered) == 0 || slices.Contains(of.offered, has):
		case of.pointer == "/auth" && e.Auth == nil:
			return wrong("/auth", "send it, with the scheme "+strings.Join(of.offered, " or "), "it is missing, and each endpoint must have it")
		case len(of.offered) == 1:
			return wrong(of.pointer, "say so, or leave it out", "it is %s for all endpoints", of.offered[0])
		default:
			return wrong(of.pointer, "say "+strings.Join(of.offered, " or "), "it is not offered here")
		}
	}
	if !o.sameData(e) {
		return wrong("/payload/data", "leave it out", "it is the same for all endpoints")
	}
	if o.NoRate && e.Rate != "" {
		return wrong("/rate", "leave it out", "it is the same for all endpoints")
	}
	return nil
}

// Hold gives an endpoint that was made under another offer what this one has, where the
// two differ.
func (o Offer) Hold(e *Endpoint) {
	o.Complete(e)
	for _, of := range o.choices() {
		if len(of.offered) > 0 && !slices.Contains(of.offered, of.is(e)) {
			of.set(e, of.offered[0])
		}
	}
	if format, err := formatOf(e); err == nil && !o.sameData(e) {
		o.setData(e, format)
	}
	if o.NoRate {
		e.Rate = ""
	}
}

// offerable are the words that can be offered, by the member.
var offerable = map[string][]string{
	"auth":      {AuthNone, "basic", "bearer", "header"},
	"signature": {SignatureStandard, SignatureRFC9421, SignatureX, SignatureNone},
	"payload": {
		string(payload.Show), string(payload.Standard), string(payload.Gateway), string(payload.CloudEvents), string(payload.Thin), string(payload.Fields),
		string(payload.Patch), string(payload.Merge),
	},
	"order": {string(endpoint.OrderObject), string(endpoint.OrderEndpoint), string(endpoint.OrderNone)},
}

// Check reports words that there are not, and those that cannot be a default.
func (o Offer) Check() error {
	for _, of := range o.choices() {
		name := of.pointer[1:]
		for i, word := range of.offered {
			switch {
			case !slices.Contains(offerable[name], word):
				return fmt.Errorf("%s offers %s, not %q", name, strings.Join(offerable[name], ", "), word)
			case slices.Contains(of.offered[:i], word):
				return fmt.Errorf("%s offers %s twice; keep one of them", name, word)
			}
		}
	}
	if len(o.Payload) > 0 && o.Payload[0] == string(payload.Fields) {
		return fmt.Errorf("payload: fields cannot come first, since each endpoint must say which; offer another before it, as `payload show|fields`")
	}
	return o.checkData()
}

// checkData reports data that no payload can have.
func (o Offer) checkData() error {
	switch {
	case len(o.Data) == 0:
		return nil
	case len(o.Payload) != 1:
		return errors.New("payload: data is that of one format; offer standard or gateway alone, as `payload gateway data object=.`")
	}
	if _, err := payload.New(payload.Config{Kind: payload.Kind(o.Payload[0]), Data: o.Data}); err != nil {
		return fmt.Errorf("payload: %w", err)
	}
	return nil
}
