// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
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
}

// Paths returns all paths that the triggers and the types' templates look at,
// in order and without repeats.
func Paths(triggers []Trigger) []string {
	var paths []string
	for _, t := range triggers {
		paths = append(paths, t.Paths...)
		paths = append(paths, t.Type.Paths()...)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// Types returns the types of the events that a transition makes, in the
// triggers' order, each once. Previous is nil, or lacks a path, when the state
// before is not known.
func Types(triggers []Trigger, op Op, previous, now Fields) []string {
	var types []string
	for _, t := range triggers {
		if t.On != op || (op == OpChange && !t.changed(previous, now)) {
			continue
		}
		fields := now
		if op == OpDelete {
			fields = previous
		}
		if name := t.Type.Render(fields); !slices.Contains(types, name) {
			types = append(types, name)
		}
	}
	return types
}

func (t Trigger) changed(previous, now Fields) bool {
	if len(t.Paths) == 0 {
		return true
	}
	return slices.ContainsFunc(t.Paths, func(path string) bool {
		before, known := previous[path]
		after := now[path]
		if known && bytes.Equal(Canonical(before), Canonical(after)) {
			return false
		}
		// Where the state before is unknown the object did change, and nothing
		// tells whether this field did. A receiver can ignore an event that
		// tells it nothing new, but can never ask for one that was left out.
		// Only "from" claims to know the past, so it stays silent.
		if len(t.From) > 0 && (!known || !slices.Contains(t.From, Text(before))) {
			return false
		}
		return len(t.To) == 0 || slices.Contains(t.To, Text(after))
	})
}
