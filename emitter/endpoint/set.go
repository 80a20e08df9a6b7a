// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"fmt"
	"iter"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Set is an immutable set of endpoints, built to find the endpoints of each
// event. The nil Set is empty.
type Set struct {
	endpoints []Endpoint
	index     map[string]int
	// routes has the endpoints of each tenant, and the operator's under "".
	routes map[string]*routes
}

// NewSet returns a set of endpoints, with their defaults filled in. It fails if
// an endpoint is not valid or two have the same name.
func NewSet(endpoints ...Endpoint) (*Set, error) {
	set := &Set{
		endpoints: make([]Endpoint, len(endpoints)),
		index:     make(map[string]int, len(endpoints)),
		routes:    map[string]*routes{},
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
		of, ok := set.routes[endpoint.Tenant]
		if !ok {
			of = newRoutes()
			set.routes[endpoint.Tenant] = of
		}
		of.add(endpoint.Name, endpoint.Events)
	}
	return set, nil
}

// Match returns the names of the endpoints that get an event: the operator's
// endpoints, then those of the tenant that owns the object, as far as they want
// its type and may have it, see [event.Event.VisibleTo]. Each name appears once,
// and the order is always the same. An object without an owner, "", belongs to
// no tenant. The slice may be shared with the set and must not be changed; it is
// nil if there are no endpoints.
func (s *Set) Match(e *event.Event) []string {
	if s == nil {
		return nil
	}
	var matched []string
	if e.VisibleTo("") {
		matched = s.routes[""].match(nil, e.Type)
	}
	if e.Tenant != "" && e.VisibleTo(e.Tenant) {
		matched = s.routes[e.Tenant].match(matched, e.Type)
	}
	return matched
}

// MatchOperational returns the names of the endpoints that get an operational
// event about an endpoint: those whose filter names its type, as
// endpoint.failing or endpoint.*; the filter * does not. A tenant gets events
// about its own endpoints only, and no endpoint gets events about itself.
func (s *Set) MatchOperational(eventType string, about Endpoint) []string {
	told := event.Event{Type: eventType, Tenant: about.Tenant}
	var matched []string
	for e := range s.All() {
		if e.Name != about.Name && told.VisibleTo(e.Tenant) && e.Events.MatchNamed(eventType) {
			matched = append(matched, e.Name)
		}
	}
	return matched
}

// Get returns the endpoint with a name.
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

// Len returns the number of endpoints.
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
