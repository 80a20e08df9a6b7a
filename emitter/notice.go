// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// The types of operational events, which are about deliveries and not about the
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

// OperationalResource is the resource in the keys of operational events; their
// id is the endpoint's name. The API has no resource of that name.
const OperationalResource = "endpoint"

// Notice is a piece of news for operators.
type Notice struct {
	// Type is one of the types of operational events.
	Type string
	// At is when it happened.
	At time.Time
	// State is how the endpoint stands.
	State queue.EndpointState
	// Delivery is the dead delivery, and Attempt its last attempt. Both are nil
	// in other notices.
	Delivery *queue.Delivery
	Attempt  *queue.Attempt
}
