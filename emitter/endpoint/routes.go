// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// routes finds the endpoints that get an event type.
//
// A search costs one look-up for each dot of the event type, however many
// endpoints there are: since no filter matches a type twice, the result is the
// list of endpoints at each dot, one after another.
type routes struct {
	// all, prefixes and exact hold the names of endpoints, by the patterns of
	// their filters.
	all      []string
	prefixes map[string][]string
	exact    map[string][]string
}

func newRoutes() *routes {
	return &routes{prefixes: map[string][]string{}, exact: map[string][]string{}}
}

func (r *routes) add(name string, filter event.Filter) {
	if filter.All() {
		r.all = append(r.all, name)
		return
	}
	for _, prefix := range filter.Prefixes() {
		r.prefixes[prefix] = append(r.prefixes[prefix], name)
	}
	for _, exact := range filter.Exact() {
		r.exact[exact] = append(r.exact[exact], name)
	}
}

// match appends the names of the endpoints that get an event type. Nil routes
// match nothing.
func (r *routes) match(matched []string, eventType string) []string {
	if r == nil {
		return matched
	}
	matched = join(matched, r.all)
	if len(r.prefixes) > 0 {
		for i := range len(eventType) {
			if eventType[i] == '.' {
				matched = join(matched, r.prefixes[eventType[:i+1]])
			}
		}
	}
	return join(matched, r.exact[eventType])
}

// join appends without ever writing to the array behind a slice of the routes,
// and without allocating if either slice is empty.
func join(a, b []string) []string {
	switch {
	case len(b) == 0:
		return a
	case len(a) == 0:
		return slices.Clip(b)
	default:
		return append(a, b...)
	}
}
