// SPDX-License-Identifier: Apache-2.0

package snapshots

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// Passing returns who is told of an object of a resource that passes to a tenant: the
// endpoints whose snapshots are not over, unless one of the object's events goes to them.
// Their walk may have come by while the object was another's. If it has not, it finds
// that the endpoint was told.
func Passing(store queue.Store, endpoints Endpoints, resource *reconcile.Resource, now func() time.Time) reconcile.PassingFunc {
	name, types := resource.Name, typesOf(resource)
	return func(ctx context.Context, known *event.Snapshot, seen *reconcile.Sight, events []queue.Routed) (reconcile.Passage, error) {
		runs, until, err := subscribers.Beginning(ctx, store, known.Tenant)
		passage := reconcile.Passage{Guard: until}
		if err != nil {
			return passage, err
		}
		for _, id := range slices.Sorted(maps.Keys(runs)) {
			run := runs[id]
			to, found := endpoints.Set().Get(id)
			if !found || to.Tenant != known.Tenant || run.IsReplay() || goesTo(events, id) || !subscribers.AsksFor(to.Events.Patterns(), name, types) {
				continue
			}
			state := stateOf(store.Instance(), id, &run, known, seen, now())
			if !keeps(&to, &state, seen.Document) {
				continue
			}
			switch told, err := isTold(ctx, store, state.ID, id); {
			case err != nil:
				return passage, err
			case !told:
				passage.Introductions = append(passage.Introductions, introduced(state, &to))
			}
		}
		return passage, nil
	}
}

// goesTo reports whether one of some events goes to an endpoint.
func goesTo(events []queue.Routed, endpoint string) bool {
	return slices.ContainsFunc(events, func(e queue.Routed) bool { return slices.Contains(e.Endpoints, endpoint) })
}

func introduced(state event.Event, to *endpoint.Endpoint) queue.Routed {
	return queue.Routed{Event: state, Endpoints: []string{to.Name}, Formats: map[string]string{to.Name: to.Payload.String()}}
}
