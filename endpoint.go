// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"fmt"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/event/when"
	"github.com/caddy-webhooks/caddy-webhooks/policy"
)

// Endpoint is a subscriber that the operator has fixed.
type Endpoint struct {
	// Name is the endpoint's identity: whatever else about it changes, its
	// deliveries stay with it. Required.
	Name string `json:"name"`

	// URL is where events are posted to. Placeholders such as `{env.NAME}`
	// are replaced. `requests` stands for the receivers that requests name: the
	// endpoint `notify.items` says how those of the resource `items` are
	// delivered to. Required.
	URL string `json:"url"`

	// Events are the types of the events it gets; `items.*` stands for all
	// types that begin with `items.`, and `*` for all. Default: all.
	Events []string `json:"events,omitempty"`

	// Filter is a condition in CEL on the events of those types: of `event`,
	// `object`, `previous` and `changed`, as `object.amount > 100`. An event for
	// which it cannot be decided is sent. Default: none.
	Filter string `json:"filter,omitempty"`

	// Secrets sign its deliveries, each with a signature of its own, so that
	// one can be replaced by another without a gap: `whsec_` and the base64 of
	// 24 to 64 random bytes, or `whsk_` and the base64 of an ed25519 private
	// key. The current one comes first. Write placeholders such as
	// `{env.ERP_WEBHOOK_SECRET}` rather than the secrets, which would show in
	// the configuration. At least one is required, unless no signature needs
	// it.
	Secrets []string `json:"secrets,omitempty"`

	// Signatures are the ways in which deliveries are signed, side by side.
	// Default: Standard Webhooks.
	Signatures []*Signature `json:"signatures,omitempty"`

	// NoSignature leaves deliveries unsigned.
	NoSignature bool `json:"no_signature,omitempty"`

	// Auth proves to the receiver who is calling.
	Auth *Auth `json:"auth,omitempty"`

	// TLS is what connections to the receiver have of their own.
	TLS *ReceiverTLS `json:"tls,omitempty"`

	// Payload is the form in which events are sent. Default: the Show.
	Payload *Payload `json:"payload,omitempty"`

	policy.Attempts
	Rotation
	policy.Delivery
}

// provisionEndpoints checks the endpoints, and makes the transport to them.
func (a *App) provisionEndpoints() error {
	var err error
	if a.policy, err = a.Egress.policy(); err != nil {
		return err
	}
	transport, err := a.Egress.transport()
	if err != nil {
		return err
	}
	a.transport.Store(transport)
	declared, err := a.declareEndpoints(transport)
	if err != nil {
		return err
	}
	a.endpoints, a.named, a.drops = declared.endpoints, declared.named, declared.drops || a.template.WhenDisabled == endpoint.Drop
	return nil
}

// declaredEndpoints are the endpoints that the operator has fixed.
type declaredEndpoints struct {
	endpoints *endpoint.Set
	// named are those whose receivers are named by requests, by the endpoints' names.
	named map[string]endpoint.Endpoint
	// drops is true if some endpoint wants nothing kept while it is disabled.
	drops bool
}

// declareEndpoints returns the endpoints, with what their placeholders stand for now.
func (a *App) declareEndpoints(transport *egress.Transport) (declaredEndpoints, error) {
	declared := declaredEndpoints{named: make(map[string]endpoint.Endpoint)}
	endpoints := make([]endpoint.Endpoint, 0, len(a.Endpoints))
	for _, e := range a.Endpoints {
		if err := e.checkNamed(); err != nil {
			return declared, fmt.Errorf("endpoint %s: %w", e.Name, err)
		}
		made, err := e.endpoint(transport, a.files)
		if err != nil {
			return declared, fmt.Errorf("endpoint %s: %w", e.Name, err)
		}
		if e.isNamed() {
			if _, twice := declared.named[made.Name]; twice {
				return declared, fmt.Errorf("endpoint %s is declared twice; keep one of them", made.Name)
			}
			if err := validateNamed(made); err != nil {
				return declared, err
			}
			declared.named[made.Name] = made
			continue
		}
		declared.drops = declared.drops || made.WhenDisabled == endpoint.Drop
		endpoints = append(endpoints, made)
	}
	var err error
	declared.endpoints, err = endpoint.NewSet(endpoints...)
	return declared, err
}

// endpoint checks the endpoint and returns it as the emitter wants it. The files that
// it names are noted in files.
func (e *Endpoint) endpoint(transport *egress.Transport, files *files) (endpoint.Endpoint, error) {
	made := endpoint.Endpoint{Name: e.Name}
	repl := newFiller(files)
	var err error
	if made.URL, err = repl.ReplaceOrErr(e.URL); err != nil {
		return made, fmt.Errorf("url: %w; set what the placeholder stands for", err)
	}
	if e.isNamed() {
		made.URL = ""
	} else if err := transport.CheckURL(made.URL); err != nil {
		return made, err
	}
	if err := e.provisionDelivery(&made, repl, transport); err != nil {
		return made, err
	}
	if made.Events, err = event.ParseFilter(e.Events...); err != nil {
		return made, err
	}
	if e.Filter != "" {
		if made.Filter, err = when.CompileFilter(e.Filter); err != nil {
			return made, err
		}
	}
	if err := e.Delivery.Apply(&made); err != nil {
		return made, err
	}
	err = e.Attempts.Apply(&made)
	return made, err
}

// provisionDelivery fills in how deliveries are signed, authenticated, connected and
// formatted.
func (e *Endpoint) provisionDelivery(made *endpoint.Endpoint, repl *filler, transport *egress.Transport) error {
	if len(e.Secrets) > 0 && !e.needsSecret() {
		return fmt.Errorf("secret: none of its signatures is made with it; add `signature standard`, or leave it out")
	}
	var err error
	if made.Secrets, err = e.secrets(repl, "secret", e.Secrets, sign.ParseSecret); err != nil {
		return err
	}
	if made.Signatures, err = e.schemes(repl); err != nil {
		return err
	}
	if made.Auth, err = e.Auth.authenticator(repl, transport); err != nil {
		return err
	}
	if made.TLS, err = e.TLS.settings(repl); err != nil {
		return err
	}
	made.Payload, err = e.Payload.format(repl)
	return err
}
