// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"errors"
	"slices"
)

// Trigger says which transition of an object makes an event, and of which type.
type Trigger struct {
	// Type is the event's type.
	Type Template
	// On is the operation it waits for.
	On Op
	// Paths are the fields of which one must have changed, for OpChange. With
	// none, any change of the object will do.
	Paths []string
	// From and To, where not empty, list the values that the field must have
	// had and must have now. They need Paths.
	From, To []string
	// When, where not nil, must hold besides.
	When Condition
}

// Condition is a condition on a transition that is written as an expression.
type Condition interface {
	// Holds tells whether a transition fulfils the condition. Changed lists the
	// watched paths that changed.
	Holds(transition Transition, changed []string) (bool, error)
	// Paths returns the paths that the condition looks at besides the Show.
	Paths() []string
}

// Transition is what happened to an object.
type Transition struct {
	// Op is what happened.
	Op Op
	// Show is the object's Show; nothing when it was deleted.
	Show Document
	// Previous are the watched fields as they were. It is nil, or lacks a path,
	// when the state before is not known.
	Previous Fields
	// Now are the watched fields. Of a hidden one it has what [Watch] makes of
	// it, as Previous has.
	Now Fields
	// Cause is the exchange that led here.
	Cause Cause
}

// Paths returns all paths that the triggers and the types' templates look at,
// in order and without repeats.
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
// triggers' order, each once. A condition that fails does not hold; the error
// says of which triggers the conditions failed.
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

// changed returns the watched paths that changed, as far as is known.
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
		// Where the state before is unknown the object did change, and nothing
		// tells whether this field did. A receiver can ignore an event that
		// tells it nothing new, but can never ask for one that was left out.
		// Only "from" claims to know the past, so it stays silent.
		if len(t.From) > 0 && (!known || !slices.Contains(t.From, Text(before))) {
			return false
		}
		return len(t.To) == 0 || slices.Contains(t.To, Text(transition.Show.Field(path)))
	})
}
