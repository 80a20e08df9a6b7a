// SPDX-License-Identifier: Apache-2.0

package emitter

import "github.com/caddy-webhooks/caddy-webhooks/queue"

// The statuses of an endpoint that is active, but whose attempts fail, and of one
// that is not configured any more. The queue keeps the others.
const (
	// StatusRetrying: its last attempt failed. That may be for a moment.
	StatusRetrying queue.EndpointStatus = "retrying"
	// StatusFailing: every attempt has failed for some minutes, and it was
	// announced so.
	StatusFailing queue.EndpointStatus = "failing"
	// StatusGone: it is not configured, and still has deliveries.
	StatusGone queue.EndpointStatus = "gone"
)

// Statuses are those of a configured endpoint.
var Statuses = []queue.EndpointStatus{
	queue.EndpointActive, StatusRetrying, StatusFailing, queue.EndpointPaused, queue.EndpointDisabled,
}

// pausedReason is the reason of a pause for which nobody gave one.
const pausedReason = "an operator paused it"

// OwnerPaused is the reason of a pause that is its owner's, and not the operator's.
const OwnerPaused = "its owner paused it"

// condition returns how an endpoint stands, in the words in which it is told
// everywhere: lists, metrics, health, operational events and the log. The state is
// the one that the queue keeps.
func condition(state queue.EndpointState, h health) queue.EndpointState {
	if state.Status != queue.EndpointDisabled {
		state.FailingSince, state.Failures = h.since, h.failures
	}
	switch {
	case state.Status == queue.EndpointPaused && state.Reason == "":
		state.Reason = pausedReason
	case state.Status != queue.EndpointActive:
	case h.announced:
		state.Status, state.Since, state.Reason = StatusFailing, h.since, h.reason
	case h.failures > 0:
		state.Status, state.Since, state.Reason = StatusRetrying, h.since, h.reason
	default:
		state.Reason = ""
	}
	return state
}
