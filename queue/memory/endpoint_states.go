// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"context"
	"maps"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// PutEndpointState implements [queue.EndpointStates].
func (s *Store) PutEndpointState(ctx context.Context, state queue.EndpointState) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if delete(s.states, state.Name); !state.IsZero() {
		s.states[state.Name] = state
	}
	return nil
}

// EndpointStates implements [queue.EndpointStates].
func (s *Store) EndpointStates(ctx context.Context) ([]queue.EndpointState, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var states []queue.EndpointState
	for _, name := range slices.Sorted(maps.Keys(s.states)) {
		states = append(states, s.states[name])
	}
	return states, nil
}
