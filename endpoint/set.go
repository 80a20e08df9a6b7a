// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"fmt"
	"iter"
	"slices"
)

// Set is an immutable set of endpoints, made to be asked for each event who
// gets it. The nil Set is empty.
//
// Asking costs a look-up for each dot of the event type, however many
// endpoints there are: since no type is matched twice by one filter, the
// endpoints of an event are those that stand at its dots, one after another.
type Set struct {
	endpoints []Endpoint
	index     map[string]int
	// all, prefixes and exact hold the names of endpoints by the patterns of
	// their filters.
	all      []string
	prefixes map[string][]string
	exact    map[string][]string
}

// NewSet returns the set of some endpoints, with their defaults filled in. It
// fails if one is not valid or two have one name.
func NewSet(endpoints ...Endpoint) (*Set, error) {
	set := &Set{
		endpoints: make([]Endpoint, len(endpoints)),
		index:     make(map[string]int, len(endpoints)),
		prefixes:  map[string][]string{},
		exact:     map[string][]string{},
	}
	for i, endpoint := range endpoints {
		if err := endpoint.Validate(); err != nil {
			return nil, err
		}
		if _, ok := set.index[endpoint.Name]; ok {
			return nil, fmt.Errorf("%w: two are named %s; the name is an endpoint's identity, so give one of them another", ErrBadEndpoint, endpoint.Name)
		}
		set.endpoints[i] = endpoint.WithDefaults()
		set.index[endpoint.Name] = i
		set.add(endpoint.Name, endpoint.Events)
	}
	return set, nil
}

func (s *Set) add(name string, filter Filter) {
	if !filter.some {
		s.all = append(s.all, name)
		return
	}
	for _, prefix := range filter.prefixes {
		s.prefixes[prefix] = append(s.prefixes[prefix], name)
	}
	for _, exact := range filter.exact {
		s.exact[exact] = append(s.exact[exact], name)
	}
}

// Match returns the names of the endpoints that get events of a type, each
// once, in an order that is the same every time. The slice may be shared with
// the set and must not be changed; it is nil if there are none.
func (s *Set) Match(eventType string) []string {
	if s == nil {
		return nil
	}
	matched := slices.Clip(s.all)
	if len(s.prefixes) > 0 {
		for i := range len(eventType) {
			if eventType[i] == '.' {
				matched = join(matched, s.prefixes[eventType[:i+1]])
			}
		}
	}
	return join(matched, s.exact[eventType])
}

// join appends without ever writing behind a slice of the set, and without
// allocating where one of both is empty.
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

// Get returns the endpoint of a name.
func (s *Set) Get(name string) (Endpoint, bool) {
	if s == nil {
		return Endpoint{}, false
	}
	i, ok := s.index[name]
	if !ok {
		return Endpoint{}, false
	}
	return s.endpoints[i], true
}

// Len returns how many endpoints there are.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return len(s.endpoints)
}

// All returns the endpoints, in the order in which they were given.
func (s *Set) All() iter.Seq[Endpoint] {
	return func(yield func(Endpoint) bool) {
		for i := range s.Len() {
			if !yield(s.endpoints[i]) {
				return
			}
		}
	}
}
