// SPDX-License-Identifier: Apache-2.0

package event

import (
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/internal/jsonpath"
)

// place is the step that one of the paths has reached.
type place struct {
	path, step int
}

// places are the positions of a value within a projection's paths: one for
// every path that leads to it or through it. There are never more places than
// the paths have steps.
type places []place

// follower follows paths down a document.
type follower struct {
	paths [][]jsonpath.Step
}

// begin returns the places of the whole document.
func (f follower) begin() places {
	at := make(places, len(f.paths))
	for i := range at {
		at[i].path = i
	}
	return at
}

// ended reports whether some path ends here.
func (f follower) ended(at places) bool {
	return slices.ContainsFunc(at, func(p place) bool { return p.step == len(f.paths[p.path]) })
}

// one lets each "#" that comes next in a path stand for a value that is no
// list.
func (f follower) one(at places) places {
	for i := 0; i < len(at); i++ { // it grows
		if p := at[i]; p.step < len(f.paths[p.path]) && f.paths[p.path][p.step].Kind == jsonpath.Each {
			at = add(at, place{p.path, p.step + 1})
		}
	}
	return at
}

// member returns the places of the member of an object.
func (f follower) member(at places, name string) (next places) {
	for _, p := range at {
		if p.step == len(f.paths[p.path]) {
			continue
		}
		step := f.paths[p.path][p.step]
		if step.Kind == jsonpath.Any || step.Kind == jsonpath.Name && step.Name == name {
			next = add(next, place{p.path, p.step + 1})
		}
	}
	return next
}

// element returns the places of the element of a list.
func (f follower) element(at places, index int) (next places) {
	for _, p := range at {
		if p.step == len(f.paths[p.path]) {
			continue
		}
		step := f.paths[p.path][p.step]
		number, isNumber := step.Index()
		if step.Kind != jsonpath.Name || isNumber && number == index {
			next = add(next, place{p.path, p.step + 1})
		}
		if step.Kind == jsonpath.Name {
			next = add(next, p) // a name continues in each element
		}
	}
	return next
}

func add(to places, p place) places {
	if slices.Contains(to, p) {
		return to
	}
	return append(to, p)
}
