// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/catalogue"
	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// operationalTypes are the types of events that no rule makes.
var operationalTypes = []string{emitter.EndpointFailing, emitter.EndpointDisabled, emitter.EndpointRecovered, emitter.DeliveryExhausted}

// types returns the types of all events that the configuration can make, those of
// operational events last.
func (a *App) types() []event.Template {
	var all []event.Template
	seen := make(map[string]bool)
	add := func(made event.Template) {
		if !seen[made.String()] {
			seen[made.String()] = true
			all = append(all, made)
		}
	}
	for _, r := range a.resources() {
		for _, trigger := range r.Triggers {
			add(trigger.Type)
		}
	}
	for _, text := range operationalTypes {
		if made, err := event.ParseTemplate(text); err == nil {
			add(made)
		}
	}
	return all
}

// startCatalogue learns from the events that rules make. What is said of types that no rule
// makes is known only now, when all handlers are provisioned.
func (a *App) startCatalogue() error {
	var made []catalogue.Made
	for _, r := range a.resources() {
		for _, trigger := range r.Triggers {
			made = append(made, catalogue.Made{Resource: r.Name, Type: trigger.Type, Projection: r.Projection})
		}
	}
	types, err := a.Subscribers.Catalogue(made)
	if err == nil {
		a.catalogue.Begin(types, a.pipeline.Queue, pipelineLogger("catalogue"))
	}
	return err
}

// unmade returns those of some patterns that match none of the types.
func unmade(patterns []string, types []event.Template) []string {
	return slices.DeleteFunc(slices.Clone(patterns), func(pattern string) bool {
		return slices.ContainsFunc(types, func(made event.Template) bool { return made.May(pattern) })
	})
}

// logUnmade warns of endpoints, and of `notify`, that want types of events which nothing
// makes. It is no error: the handlers that make them may be added later, and are known
// only once all of them are provisioned, when nothing can be refused any more by
// `caddy validate`.
func (a *App) logUnmade() {
	types := a.types()
	var names []string
	for _, made := range types {
		names = append(names, made.String())
	}
	warn := func(what, name string, missing []string) {
		if len(missing) > 0 {
			a.log.Warn("no rule makes the events that are wanted", zap.String(what, name),
				zap.String("events", strings.Join(missing, " ")), zap.String("made", strings.Join(names, " ")))
		}
	}
	for e := range a.endpoints.All() {
		warn("endpoint", e.Name, unmade(e.Events.Patterns(), types))
	}
	for _, r := range a.resources() {
		if r.Callback == nil {
			continue
		}
		var own []event.Template
		for _, trigger := range r.Triggers {
			own = append(own, trigger.Type)
		}
		warn("notify", r.Name, unmade(r.Callback.Filter.Patterns(), own))
	}
}

// validated is why Caddy ends a configuration that it has been asked to validate.
const validated = "validation complete"

// logValidated says what a start would say of the configuration as a whole, if it ends
// because it was valid: `caddy validate` provisions all handlers and starts nothing.
func (a *App) logValidated() {
	if cause := context.Cause(a.ctx); a.config == nil && cause != nil && cause.Error() == validated {
		a.logUnmade()
	}
}
