// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"context"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// Resource says how objects of one resource are reconciled.
type Resource struct {
	// Name is the resource's name.
	Name string
	// Read reads an object's Show.
	Read func(ctx context.Context, key event.Key) (show.Show, error)
	// Version is the path of the version in Show, or "".
	Version string
	// Triggers say which transitions make events.
	Triggers []event.Trigger
	// Route names the endpoints that an event type goes to.
	Route func(eventType string) []string
	// Limit bounds how many Shows are read at once. Resources of one upstream
	// share it.
	Limit *Limit

	paths []string
}

func (r *Resource) watched() []string { return r.paths }
