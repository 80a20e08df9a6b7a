// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/event/when"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// compileEvents compiles the option `event`.
func (r *Resource) compileEvents(d syntax.Resource) error {
	if len(d.Events) == 0 {
		return PartError{r.Name, "conventions", fmt.Errorf("resource %s: no event is declared, and `conventions %s` leaves out the conventional ones; "+
			"add one, as `event %s.changed on change`", d.Name, d.Conventions, d.Name)}
	}
	for _, rule := range d.Events {
		trigger, err := compileTrigger(rule)
		if err != nil {
			return PartError{r.Name, rule, fmt.Errorf("resource %s: event %s: %w", d.Name, rule.Type, err)}
		}
		r.Triggers = append(r.Triggers, trigger)
	}
	return nil
}

// compileTrigger compiles an event rule.
func compileTrigger(e *syntax.EventRule) (event.Trigger, error) {
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

// expression is a condition in CEL as an [event.Condition].
type expression struct {
	*when.Condition
}

// Holds implements event.Condition.
func (e expression) Holds(transition event.Transition, changed []string) (bool, error) {
	return e.Eval(when.Input{
		Show: transition.Show, Previous: transition.Previous.Unmasked(), Changed: changed, Cause: transition.Cause,
	})
}
