// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"time"
)

// EndpointStates keeps the states of endpoints, which mean nothing to the queue
// itself. Another process may change them: a copy has to be read again.
type EndpointStates interface {
	// PutEndpointState replaces an endpoint's state, durably. One for which
	// [EndpointState.IsZero] holds is forgotten.
	PutEndpointState(ctx context.Context, state EndpointState) error
	// EndpointStates returns all states, by name.
	EndpointStates(ctx context.Context) ([]EndpointState, error)
}

// EndpointStatus is whether an endpoint gets deliveries.
type EndpointStatus string

const (
	// EndpointActive: deliveries are attempted.
	EndpointActive EndpointStatus = "active"
	// EndpointPaused: somebody has stopped them; they wait.
	EndpointPaused EndpointStatus = "paused"
	// EndpointDisabled: they were stopped because they failed for too long.
	EndpointDisabled EndpointStatus = "disabled"
)

// EndpointState is the state of an endpoint.
type EndpointState struct {
	Name   string         `json:"name"`
	Status EndpointStatus `json:"status"`
	// Reason says why it is paused or disabled.
	Reason string `json:"reason,omitempty"`
	// Since is when it became what Status says.
	Since time.Time `json:"since,omitzero"`
	// FailingSince is when the first attempt since the last success failed;
	// Failures counts the failed attempts since then.
	FailingSince time.Time `json:"failing_since,omitzero"`
	Failures     int       `json:"failures,omitempty"`
}

// IsZero reports whether the state says no more than that the endpoint is
// active.
func (s *EndpointState) IsZero() bool {
	return (s.Status == EndpointActive || s.Status == "") && s.Reason == "" && s.FailingSince.IsZero() && s.Failures == 0
}
