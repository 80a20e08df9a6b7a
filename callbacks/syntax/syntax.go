// SPDX-License-Identifier: Apache-2.0

// Package syntax is what a configuration says about subscribers: what they may have,
// and how it is found out who asks.
package syntax

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// Subscribers says what subscribers may have who manage their own endpoints.
type Subscribers struct {
	// Limit is how many endpoints a tenant may have. Default: 100.
	Limit int `json:"limit,omitempty"`

	// OnePerType lets one endpoint of a tenant get each type of event, of those that
	// are not paused.
	OnePerType bool `json:"one_per_type,omitempty"`

	// NoVerify makes and changes endpoints without a test of their receivers. Default:
	// a receiver must answer a test with success when its endpoint is made, and when its
	// URL changes.
	NoVerify bool `json:"no_verify,omitempty"`

	// Require are the members that each endpoint must have: `label`, `url`, `events`.
	// Default: none.
	Require []string `json:"require,omitempty"`

	// Types say more about the types of events than their rules do. Default: nothing;
	// a schema is learned from the Shows that are seen.
	Types []*Type `json:"types,omitempty"`

	// Endpoint says what their endpoints have, and what of that is theirs to say.
	// Default: as an endpoint of the operator's without a word.
	Endpoint *Endpoint `json:"endpoint,omitempty"`
}

// Check reports what is impossible.
func (s *Subscribers) Check() error {
	if s == nil {
		return nil
	}
	if s.Limit < 0 {
		return fmt.Errorf("subscribers: limit %d is no number of endpoints", s.Limit)
	}
	for i, name := range s.Require {
		switch {
		case !slices.Contains(callbacks.Requirable(), name):
			return fmt.Errorf("subscribers: require takes %s, not %q", strings.Join(callbacks.Requirable(), ", "), name)
		case slices.Contains(s.Require[:i], name):
			return fmt.Errorf("subscribers: require %s stands twice; keep one of them", name)
		}
	}
	if err := s.Endpoint.check(); err != nil {
		return err
	}
	return checkTypes(s.Types)
}

// Policy returns which endpoints a tenant may have beside each other.
func (s *Subscribers) Policy() subscribers.Policy {
	if s == nil {
		return subscribers.Policy{}
	}
	return subscribers.Policy{Limit: s.Limit, OnePerType: s.OnePerType, Offer: s.Endpoint.Offer()}
}

// Required returns the members that each endpoint must have.
func (s *Subscribers) Required() []string {
	if s == nil {
		return nil
	}
	return s.Require
}

// Unverified reports whether receivers are not tested.
func (s *Subscribers) Unverified() bool { return s != nil && s.NoVerify }
