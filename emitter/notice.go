// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// The types of operational events, which tell of deliveries and not of the
// API.
const (
	// EndpointFailing: every attempt at the endpoint has failed for some
	// minutes.
	EndpointFailing = "endpoint.failing"
	// EndpointDisabled: the endpoint gets nothing more: its receiver said so,
	// or it failed for too long.
	EndpointDisabled = "endpoint.disabled"
	// EndpointRecovered: an endpoint that was failing got something delivered,
	// or one that was disabled was resumed.
	EndpointRecovered = "endpoint.recovered"
	// DeliveryExhausted: a delivery is dead.
	DeliveryExhausted = "delivery.exhausted"
)

// OperationalResource is the resource of the keys of operational events; their
// id is the endpoint's name. The API has none of that name.
const OperationalResource = "endpoint"

// Notice is something that an operator wants to know.
type Notice struct {
	// Type is one of the types of operational events.
	Type string
	// At is when it happened.
	At time.Time
	// State is how the endpoint stands now.
	State queue.EndpointState
	// Delivery is the one that is dead, and Attempt what its last attempt came
	// to. Both are nil in other notices.
	Delivery *queue.Delivery
	Attempt  *queue.Attempt
}
