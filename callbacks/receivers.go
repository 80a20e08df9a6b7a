// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// Receivers is the [Prober] of a way to receivers: what it tries goes where deliveries
// go, within the same egress policy.
type Receivers struct {
	// Transport returns the way to the receiver of an endpoint, by its id; "" is that of one
	// that is not made yet.
	Transport func(endpoint string) Transport
	// Template holds what is not a subscriber's to say.
	Template endpoint.Endpoint
	// Emitter is how deliveries are sent.
	Emitter emitter.Options
}

// Transport is a way to receivers that keeps to an egress policy, as
// [egress.Transport].
type Transport interface {
	http.RoundTripper
	CheckURL(raw string) error
}

// Check implements [Prober].
func (p *Receivers) Check(e *subscribers.Endpoint) error {
	if err := checkSignature(e.Signature); err != nil {
		return err
	}
	if e.URL == "" {
		return nil
	}
	if err := p.Transport(e.ID).CheckURL(e.URL); err != nil {
		return &subscribers.FieldError{Pointer: "/url", Detail: egress.ForSubscriber(err), Remedy: "use another URL"}
	}
	if _, err := p.resolve(e); err != nil {
		return &subscribers.FieldError{Pointer: wrongMember(err), Detail: cause(innermost(err)), Remedy: "change it"}
	}
	return nil
}

// checkSignature reports a way of signing that there is not.
func checkSignature(text string) error {
	scheme, style, styled := strings.Cut(text, " ")
	known := []string{subscribers.SignatureStandard, subscribers.SignatureRFC9421, subscribers.SignatureX, subscribers.SignatureNone}
	if text != "" && (!slices.Contains(known, scheme) || styled && scheme != subscribers.SignatureX) {
		return &subscribers.FieldError{Pointer: "/signature", Detail: "there is no such signature", Remedy: "say " + strings.Join(known, ", ")}
	}
	if styled && !slices.Contains(sign.Presets(), style) {
		return &subscribers.FieldError{Pointer: "/signature", Detail: "there is no such style", Remedy: "say one of " + strings.Join(sign.Presets(), ", ")}
	}
	return nil
}

// wrongMember returns the member that an error of an endpoint as a whole is about, "" if
// it does not say.
func wrongMember(err error) string {
	switch {
	case errors.Is(err, sign.ErrBadScheme):
		return "/signature"
	case errors.Is(err, sign.ErrBadSecret):
		return "/secret"
	}
	return ""
}

// innermost returns what is wrong, without the names that were put before it.
func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil || errors.Unwrap(inner) == nil {
			return err
		}
		err = inner
	}
}

func (p *Receivers) resolve(e *subscribers.Endpoint) (endpoint.Endpoint, error) {
	named := *e
	if named.ID == "" {
		// It gets its name when it is stored.
		named.ID = "new"
	}
	return named.Resolve(p.Template)
}

// Probe implements [Prober].
func (p *Receivers) Probe(ctx context.Context, e *subscribers.Endpoint) (emitter.Probed, error) {
	made, err := p.resolve(e)
	if err != nil {
		return emitter.Probed{}, err
	}
	return emitter.Probe(ctx, emitter.Target{Endpoint: made, Transport: p.Transport(e.ID)}, p.Emitter)
}
