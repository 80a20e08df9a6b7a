// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"fmt"
	"iter"
)

// Set is an immutable set of endpoints, made to be asked for each event who
// gets it. The nil Set is empty.
type Set struct {
	endpoints []Endpoint
	index     map[string]int
	// routes has the endpoints of each tenant, and under "" the operator's.
	routes map[string]*routes
}

// NewSet returns the set of some endpoints, with their defaults filled in. It
// fails if one is not valid or two have one name.
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

// Match returns the names of the endpoints that get events of a type, of
// objects that a tenant owns, each once and in an order that is the same every
// time: the operator's endpoints, and the tenant's. An object without an owner,
// "", is no tenant's. The slice may be shared with the set and must not be
// changed; it is nil if there are none.
func (s *Set) Match(eventType, tenant string) []string {
	if s == nil {
		return nil
	}
	matched := s.routes[""].match(nil, eventType)
	if tenant != "" {
		matched = s.routes[tenant].match(matched, eventType)
	}
	return matched
}

// MatchOperational returns the names of the endpoints that get an operational
// event about an endpoint: those that ask for its type by name, as
// endpoint.failing or endpoint.*; that of * gets none. A tenant is told about
// its own endpoints only, and no endpoint about itself.
func (s *Set) MatchOperational(eventType string, about Endpoint) []string {
	var matched []string
	for e := range s.All() {
		if e.Name != about.Name && (e.Tenant == "" || e.Tenant == about.Tenant) && e.Events.MatchNamed(eventType) {
			matched = append(matched, e.Name)
		}
	}
	return matched
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
