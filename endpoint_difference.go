// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"fmt"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/pipeline"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
)

// checkDifferences refuses endpoints that want to be told the difference to the Show
// before, and may get events of a resource that does not keep it: each of them would
// be the whole Show.
func (a *App) checkDifferences(r *rules.Resource) error {
	if r.KeepShow {
		return nil
	}
	refuse := func(e endpoint.Endpoint) error {
		return fmt.Errorf("endpoint %s: payload %s tells the difference to the Show before, which the resource %s does not keep; "+
			"write `keep show` in the resource, give the endpoint another payload, or let its `events` leave out those of the resource",
			e.Name, e.Payload.Kind(), r.Name)
	}
	for e := range a.endpoints.All() {
		if e.Payload.IsDifference() && wantsOf(e, r) {
			return refuse(e)
		}
	}
	if e, declared := a.named[pipeline.CallbackPrefix+r.Name]; declared && r.Callback != nil && e.Payload.IsDifference() {
		return refuse(e)
	}
	return nil
}

// wantsOf reports whether an endpoint may get an event that a resource makes.
func wantsOf(e endpoint.Endpoint, r *rules.Resource) bool {
	for _, trigger := range r.Triggers {
		if slices.ContainsFunc(e.Events.Patterns(), trigger.Type.May) {
			return true
		}
	}
	return false
}
