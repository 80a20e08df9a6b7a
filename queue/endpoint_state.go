// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// KindState is the kind of the states of endpoints. A record's id is the endpoint's
// name, and its value an [EndpointState].
const KindState = "state"

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

// maxStateReason limits the reason of a state that is kept, in bytes.
const maxStateReason = 1 << 10

// Record returns the record that keeps the state: one that deletes if
// [EndpointState.IsZero] holds. The version is the expected one.
func (s EndpointState) Record(version uint64) (Record, error) {
	kept := Record{Kind: KindState, ID: s.Name, Version: version}
	if s.IsZero() {
		return kept, nil
	}
	if len(s.Reason) > maxStateReason {
		s.Reason = strings.ToValidUTF8(s.Reason[:maxStateReason], "")
	}
	var err error
	if kept.Value, err = json.Marshal(s); err != nil {
		return Record{}, fmt.Errorf("encoding the state of endpoint %s: %w", s.Name, err)
	}
	return kept, nil
}

// EndpointStateOf returns the state that a record keeps.
func EndpointStateOf(r Record) (EndpointState, error) {
	var s EndpointState
	if err := json.Unmarshal(r.Value, &s); err != nil {
		return EndpointState{}, fmt.Errorf("reading the state of endpoint %s: %w", r.ID, err)
	}
	s.Name = r.ID
	return s, nil
}
