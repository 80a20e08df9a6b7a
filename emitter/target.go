// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/auth"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/endpoint"
)

// Target is an endpoint and the way to it.
type Target struct {
	// Endpoint is who is delivered to. Defaults are filled in.
	Endpoint endpoint.Endpoint
	// Transport carries the attempts: the one *egress.Transport for all
	// endpoints. It stays its owner's to close, after the emitter has stopped
	// or has been given another.
	Transport http.RoundTripper
	// Tokens carries requests for access tokens. Default: Transport.
	Tokens http.RoundTripper
}

// tokens returns what carries requests for access tokens.
func (t Target) tokens() http.RoundTripper {
	if t.Tokens == nil {
		return t.Transport
	}
	return t.Tokens
}

// check returns the target with its defaults and its parsed URL. Its errors do
// not show the URL.
func (t Target) check() (Target, *url.URL, error) {
	if err := t.Endpoint.Validate(); err != nil {
		return Target{}, nil, err
	}
	if t.Transport == nil {
		return Target{}, nil, fmt.Errorf("%w: endpoint %s has no transport", ErrBadTarget, t.Endpoint.Name)
	}
	u, err := url.Parse(t.Endpoint.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return Target{}, nil, fmt.Errorf("%w: endpoint %s has no http or https URL", ErrBadTarget, t.Endpoint.Name)
	}
	t.Endpoint = t.Endpoint.WithDefaults()
	return t, u, nil
}

// same tells whether two targets with their defaults are delivered to alike.
// What an endpoint subscribes to is no part of it: that is decided when an
// event is routed.
func (t Target) same(other Target) bool {
	a, b := t.Endpoint, other.Endpoint
	return a.Name == b.Name && a.URL == b.URL && a.Timeout == b.Timeout && a.Concurrency == b.Concurrency &&
		slices.Equal(a.Schedule, b.Schedule) && slices.EqualFunc(a.Secrets, b.Secrets, sign.Secret.Equal) &&
		sign.EqualSchemes(a.Signatures, b.Signatures) && auth.Equal(a.Auth, b.Auth) && a.Payload.Equal(b.Payload) &&
		sameTransport(t.tokens(), other.tokens()) &&
		sameTransport(t.Transport, other.Transport)
}

// sameTransport does not panic on transports that cannot be compared, such as
// functions: they are taken for different.
func sameTransport(a, b http.RoundTripper) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}
