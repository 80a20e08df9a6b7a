// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/auth"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Resolver returns where the events of an object go.
type Resolver func(ctx context.Context, key event.Key) (Address, error)

// Target is an endpoint and the way to it.
type Target struct {
	// Endpoint is the endpoint to deliver to. Defaults are filled in.
	Endpoint endpoint.Endpoint
	// Transport carries the attempts: the one *egress.Transport for all
	// endpoints. Its owner closes it, after the emitter has stopped or has been
	// given another.
	Transport http.RoundTripper
	// Resolve, if not nil, returns where an object's events go, in place of the
	// endpoint's URL: requests have named a receiver for each object. It is
	// called before each attempt, and [ErrNoReceiver] ends the delivery. Other
	// errors count as failed attempts, and must hold no secrets.
	//
	// Such a target has a breaker for each receiver and one for each host, and
	// one receiver gets no more than an eighth of its concurrency.
	Resolve Resolver
	// Tokens carries requests for access tokens. Default: Transport.
	Tokens http.RoundTripper
}

// tokens returns the transport for requests for access tokens.
func (t Target) tokens() http.RoundTripper {
	if t.Tokens == nil {
		return t.Transport
	}
	return t.Tokens
}

// Address is where a delivery goes.
type Address struct {
	// URL is the receiver's. Its path and query are never shown.
	URL string
	// Authorization is the header of that name; "" is none.
	Authorization string
}

// recorded is how many attempts of an endpoint may be waiting to be recorded,
// besides those in flight. A queue writes many together about as fast as one.
const recorded = 256

// limits returns the limits of deliveries to the target.
func (t Target) limits(memory int64) limits {
	l := limits{concurrency: t.Endpoint.Concurrency, perReceiver: t.Endpoint.Concurrency, memory: memory, receiver: t.Endpoint.URL}
	l.underWay = l.concurrency + recorded
	if t.Resolve != nil {
		l.perReceiver, l.receiver, l.underWay = max(1, l.concurrency/namedShare), "", 0
		for of := range ranks {
			l.underWay += of.places(l.concurrency)
		}
	}
	return l
}

// check returns the target with its defaults, and its parsed URL, which is nil
// if there is none. Its errors do not show the URL.
func (t Target) check() (Target, *url.URL, error) {
	checked := t.Endpoint
	if t.Resolve != nil {
		// There is no URL to check yet.
		checked.URL = "https://receiver.invalid"
	}
	if err := checked.Validate(); err != nil {
		return Target{}, nil, err
	}
	if t.Transport == nil {
		return Target{}, nil, fmt.Errorf("%w: endpoint %s has no transport", ErrBadTarget, t.Endpoint.Name)
	}
	t.Endpoint = t.Endpoint.WithDefaults()
	if t.Resolve != nil {
		return t, nil, nil
	}
	u, err := parseURL(t.Endpoint.URL)
	if err != nil {
		return Target{}, nil, fmt.Errorf("%w: endpoint %s has no http or https URL", ErrBadTarget, t.Endpoint.Name)
	}
	return t, u, nil
}

// parseURL reads the URL of a receiver.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, ErrBadTarget
	}
	return u, nil
}

// same reports whether deliveries to two targets with their defaults are alike.
// Their event filters do not matter: they apply when an event is routed.
func (t Target) same(other Target) bool {
	a, b := t.Endpoint, other.Endpoint
	return a.Name == b.Name && a.URL == b.URL && a.Tenant == b.Tenant && a.Timeout == b.Timeout && a.Concurrency == b.Concurrency &&
		a.Order == b.Order && a.Coalesce == b.Coalesce && a.Rate == b.Rate && a.Success.Equal(b.Success) &&
		a.Deadline == b.Deadline && a.DisableAfter == b.DisableAfter && a.Trace == b.Trace && a.Paused == b.Paused &&
		slices.Equal(a.Schedule, b.Schedule) && slices.EqualFunc(a.Secrets, b.Secrets, sign.Secret.Equal) &&
		sign.EqualSchemes(a.Signatures, b.Signatures) && auth.Equal(a.Auth, b.Auth) && a.Payload.Equal(b.Payload) &&
		sameTransport(t.tokens(), other.tokens()) &&
		sameTransport(t.Transport, other.Transport) && t.Resolve == nil && other.Resolve == nil
}

// sameTransport does not panic on transports that cannot be compared, such as
// functions: they count as different.
func sameTransport(a, b http.RoundTripper) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}
