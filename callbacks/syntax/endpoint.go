// SPDX-License-Identifier: Apache-2.0

package syntax

import (
	"errors"
	"fmt"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
	"github.com/caddy-webhooks/caddy-webhooks/policy"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// Endpoint says what subscribers' endpoints have, and what of that is theirs to say. Of
// what is offered, the first is the default; with one, there is no choice.
type Endpoint struct {
	// Auth are the ways to authenticate at receivers that are offered: `none`, `basic`,
	// `bearer`, `header`. Without `none`, each endpoint must have one. Default: all, and
	// `none` without a word.
	Auth []string `json:"auth,omitempty"`

	// Signature are the ways to sign: `standard`, `rfc9421`, `x-signature` in any style,
	// `none`. Default: all, and `standard` without a word.
	Signature []string `json:"signature,omitempty"`

	// Payload are the formats: `show`, `standard`, `gateway`, `cloudevents`, `thin`,
	// `fields`, `patch`, `merge`. Default: all, and `show` without a word.
	Payload []string `json:"payload,omitempty"`

	// Data is what the payload has in the place of the Show, in order, if `standard` or
	// `gateway` is the only one that is offered. A dot in a name goes one level down.
	// Default: what each endpoint says, and the Show without a word.
	Data []Data `json:"data,omitempty"`

	// Order are the orders: `object`, `endpoint`, `none`. Default: all, and `object`
	// without a word.
	Order []string `json:"order,omitempty"`

	// OwnSecret lets subscribers send the secret that signs, as a key that they have
	// already. Without one, it is made here. Default: it is always made here.
	OwnSecret bool `json:"own_secret,omitempty"`

	// What follows is the same for all, and never a subscriber's to say, but for the
	// rate: that is theirs if there is none.

	policy.Attempts
	policy.Delivery
}

// Data is a member of what the payload has in the place of the Show.
type Data = payload.Field

// Offer returns what subscribers may say.
func (e *Endpoint) Offer() subscribers.Offer {
	if e == nil {
		return subscribers.Offer{}
	}
	return subscribers.Offer{Auth: e.Auth, Signature: e.Signature, Payload: e.Payload, Data: e.Data, Order: e.Order, NoRate: e.Rate != "", OwnSecret: e.OwnSecret}
}

// Template returns what is the same for all.
func (e *Endpoint) Template() (made endpoint.Endpoint, err error) {
	if e == nil {
		return made, nil
	}
	if err = e.Attempts.Apply(&made); err == nil {
		err = e.Delivery.Apply(&made)
	}
	return made, err
}

// check reports what is impossible.
func (e *Endpoint) check() error {
	if e == nil {
		return nil
	}
	if err := e.Offer().Check(); err != nil {
		return fmt.Errorf("subscribers: endpoint: %w", err)
	}
	if e.Tenant != "" {
		return errors.New("subscribers: endpoint: each has the tenant who makes it; leave tenant out")
	}
	if _, err := e.Template(); err != nil {
		return fmt.Errorf("subscribers: endpoint: %w", err)
	}
	return nil
}

// Endpoints returns what subscribers' endpoints have.
func (s *Subscribers) Endpoints() *Endpoint {
	if s == nil {
		return nil
	}
	return s.Endpoint
}
