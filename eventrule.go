// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"errors"
	"fmt"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/event/when"
)

// EventRule says which change of an object makes an event.
type EventRule struct {
	// Type is the type of the event, such as `items.updated`. Braces take a
	// value from the Show by its gjson path, as `items.state.{items.state}`.
	Type string `json:"type"`

	// On is what must have happened: `create`, `change` or `delete`.
	On event.Op `json:"on"`

	// Paths are gjson paths in Show, one of which must have changed. Only for
	// `change`. Default: any change counts.
	Paths []string `json:"paths,omitempty"`

	// From lists the values one of which the field must have had. It needs
	// paths. Default: any.
	From []string `json:"from,omitempty"`

	// To lists the values one of which the field must have now. It needs
	// paths. Default: any.
	To []string `json:"to,omitempty"`

	// When is a condition in CEL that must hold besides. It sees `object` (the
	// Show), `previous` (the watched fields as they were), `changed` (the
	// paths of the watched fields that changed) and `cause` (`rule`, `method`,
	// `path`, `resource`, `outcome` of the exchange that led here). What it
	// reads of `previous` is watched. A condition that fails, as one on a
	// field that is not there, does not hold.
	When string `json:"when,omitempty"`
}

// trigger compiles the event rule.
func (e EventRule) trigger() (event.Trigger, error) {
	name, err := event.ParseTemplate(e.Type)
	switch {
	case err != nil:
		return event.Trigger{}, err
	case e.On != event.OpCreate && e.On != event.OpChange && e.On != event.OpDelete:
		return event.Trigger{}, fmt.Errorf("on takes create, change or delete, not %q", e.On)
	case e.On != event.OpChange && len(e.Paths)+len(e.From)+len(e.To) > 0:
		return event.Trigger{}, fmt.Errorf("on %s takes nothing after it but `when`; only on change takes fields and values", e.On)
	case len(e.Paths) == 0 && len(e.From)+len(e.To) > 0:
		return event.Trigger{}, errors.New("from and to need the path of the field before them, as `on change state to completed`")
	}
	for _, path := range append(slices.Clone(e.Paths), name.Paths()...) {
		if err := checkFieldPath(path); err != nil {
			return event.Trigger{}, err
		}
	}
	trigger := event.Trigger{Type: name, On: e.On, Paths: e.Paths, From: e.From, To: e.To}
	if e.When != "" {
		condition, err := when.Compile(e.When)
		if err != nil {
			return event.Trigger{}, err
		}
		trigger.When = expression{condition}
	}
	return trigger, nil
}

// expression is a condition in CEL as triggers want it.
type expression struct {
	*when.Condition
}

// Holds implements event.Condition.
func (e expression) Holds(transition event.Transition, changed []string) (bool, error) {
	return e.Eval(when.Input{
		Show: transition.Show, Previous: transition.Previous.Unmasked(), Changed: changed, Cause: transition.Cause,
	})
}
