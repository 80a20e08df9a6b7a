// SPDX-License-Identifier: Apache-2.0

// Package subscribers keeps the endpoints that subscribers manage themselves: what
// an endpoint may be, how many a tenant may have, and how they are stored. It knows
// neither HTTP nor Caddy; an API on top of it serves them.
//
// One tenant never learns of another's endpoints: for whoever is not the owner, an
// endpoint is not there.
package subscribers

import (
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
)

// Status is whether an endpoint gets deliveries, as its owner wants it. That it was
// disabled because its receiver fails is the emitter's to say.
type Status string

const (
	// Active: deliveries are attempted.
	Active Status = "active"
	// Paused: they wait.
	Paused Status = "paused"
)

// Endpoint is an endpoint that a subscriber has made.
type Endpoint struct {
	// ID is its identity, and the name of its deliveries: ep_ and random letters.
	ID string `json:"-"`
	// Tenant is its owner; "" is the operator.
	Tenant string `json:"-"`
	// Version tells its states apart, and never comes back. It counts the changes
	// of all tenants: do not show it to one as it is.
	Version uint64 `json:"-"`

	// Label is its name for people.
	Label string `json:"label,omitempty"`
	// URL is where deliveries are posted to. The egress policy decides which may be.
	URL string `json:"url,omitempty"`
	// Events are patterns of event types, as items.*; none is all.
	Events []string `json:"events,omitempty"`
	// Payload is the format, as [payload.Parse] reads it; "" is the default.
	Payload string `json:"payload,omitempty"`
	// Signature names how deliveries are signed; "" is the default.
	Signature string `json:"signature,omitempty"`
	// Secrets sign the deliveries, the current one first.
	Secrets []Secret `json:"secrets,omitempty"`
	// Auth is what deliveries authenticate with, nil for nothing.
	Auth *Auth `json:"auth,omitempty"`
	// Rate limits attempts, as [endpoint.ParseRate] reads it; "" is no limit.
	Rate string `json:"rate,omitempty"`
	// Order says which deliveries wait for each other; "" is the default.
	Order endpoint.Order `json:"order,omitempty"`
	// Headers are sent with each delivery.
	Headers map[string]string `json:"headers,omitempty"`
	// Metadata is its owner's, and never sent.
	Metadata map[string]string `json:"metadata,omitempty"`
	// Filter is a condition on events; "" is none.
	Filter string `json:"filter,omitempty"`
	// Status is Active or Paused.
	Status Status `json:"status"`
	// Created is when it was made.
	Created time.Time `json:"created,omitzero"`
}

// Secret signs deliveries.
type Secret struct {
	Text string `json:"text"`
	// Until is when it signs nothing more; zero for the current one.
	Until time.Time `json:"until,omitzero"`
}

// Auth is what deliveries authenticate with at their receiver.
type Auth struct {
	// Scheme is basic, bearer or header.
	Scheme string `json:"scheme"`
	// Name is the user, or the header.
	Name string `json:"name,omitempty"`
	// Credential is the password, the token, or the header's value.
	Credential string `json:"credential,omitempty"`
}
