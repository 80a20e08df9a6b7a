// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"errors"
	"slices"
)

// Trigger says which transition of an object makes an event, and the event's
// type.
type Trigger struct {
	// Type is the event's type.
	Type Template
	// On is the operation that the trigger waits for.
	On Op
	// Paths are the fields of which one must have changed, for OpChange.
	// Without paths, any change of the object suffices.
	Paths []string
	// From and To, if not empty, list the values that the field must have had
	// and must have now. They need Paths.
	From, To []string
	// When, if not nil, must hold in addition.
	When Condition
}

// Condition is a condition on a transition, written as an expression.
type Condition interface {
	// Holds reports whether a transition fulfils the condition. Changed lists
	// the watched paths that changed.
	Holds(transition Transition, changed []string) (bool, error)
	// Paths returns the paths whose previous values the condition reads.
	Paths() []string
}

// Transition is what happened to an object.
type Transition struct {
	// Op is what happened.
	Op Op
	// Show is the object's Show; empty if the object was deleted.
	Show Document
	// Previous holds the previous values of the watched fields. It is nil, or
	// lacks a path, if the previous state is unknown.
	Previous Fields
	// Now holds the watched fields. A hidden field has the mask that [Watch]
	// makes, as in Previous.
	Now Fields
	// Cause is the exchange that led here.
	Cause Cause
}

// Paths returns all paths that the triggers and the types' templates read,
// sorted and without duplicates.
func Paths(triggers []Trigger) []string {
	var paths []string
	for _, t := range triggers {
		paths = append(paths, t.Paths...)
		paths = append(paths, t.Type.Paths()...)
		if t.When != nil {
			paths = append(paths, t.When.Paths()...)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// Types returns the types of the events that a transition makes, in the
// triggers' order, each once. A condition that fails to evaluate does not hold;
// the error joins those of all such conditions.
func Types(triggers []Trigger, transition Transition) ([]string, error) {
	var types []string
	var failed []error
	changed := transition.changed()
	for _, t := range triggers {
		if t.On != transition.Op || (t.On == OpChange && !t.changed(transition)) {
			continue
		}
		if t.When != nil {
			holds, err := t.When.Holds(transition, changed)
			if err != nil {
				failed = append(failed, err)
			}
			if !holds || err != nil {
				continue
			}
		}
		fields := transition.Now
		if transition.Op == OpDelete {
			fields = transition.Previous
		}
		if name := t.Type.Render(fields); !slices.Contains(types, name) {
			types = append(types, name)
		}
	}
	return types, errors.Join(failed...)
}

// changed returns the watched paths that changed, as far as known.
func (t *Transition) changed() []string {
	changed := []string{}
	for path, after := range t.Now {
		before, known := t.Previous[path]
		if !known || !bytes.Equal(Canonical(before), Canonical(after)) {
			changed = append(changed, path)
		}
	}
	slices.Sort(changed)
	return changed
}

func (t Trigger) changed(transition Transition) bool {
	if len(t.Paths) == 0 {
		return true
	}
	return slices.ContainsFunc(t.Paths, func(path string) bool {
		before, known := transition.Previous[path]
		if known && bytes.Equal(Canonical(before), Canonical(transition.Now[path])) {
			return false
		}
		// If the previous state is unknown, the object did change, but perhaps
		// not this field. A receiver can ignore an event with nothing new in
		// it, but can never ask for one that was left out. Only "from" claims
		// to know the past, so it stays silent.
		if len(t.From) > 0 && (!known || !slices.Contains(t.From, Text(before))) {
			return false
		}
		return len(t.To) == 0 || slices.Contains(t.To, Text(transition.Show.Field(path)))
	})
}
