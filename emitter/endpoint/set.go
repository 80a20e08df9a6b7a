// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Set is an immutable set of endpoints, built to find the endpoints of each
// event. The nil Set is empty.
type Set struct {
	// endpoints are those of NewSet, in their order.
	endpoints []Endpoint
	// stored are those of With, by tenant.
	stored map[string][]Endpoint
	index  map[string]*Endpoint
	// routes has the endpoints of each tenant, and the operator's under "".
	routes map[string]*routes
	// filtering is how many endpoints have a filter.
	filtering int
}

// NewSet returns a set of endpoints, with their defaults filled in. It fails if
// an endpoint is not valid or two have the same name.
func NewSet(endpoints ...Endpoint) (*Set, error) {
	set := &Set{
		endpoints: make([]Endpoint, len(endpoints)),
		index:     make(map[string]*Endpoint, len(endpoints)),
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
		set.note(&set.endpoints[i])
		set.route(&set.endpoints[i])
	}
	return set, nil
}

func (s *Set) route(e *Endpoint) {
	of, ok := s.routes[e.Tenant]
	if !ok {
		of = newRoutes()
		s.routes[e.Tenant] = of
	}
	of.add(e.Name, e.Events)
}

// note adds an endpoint to the index.
func (s *Set) note(e *Endpoint) {
	s.index[e.Name] = e
	if e.Filter != nil {
		s.filtering++
	}
}

// With returns the set with other stored endpoints of some tenants: those that are
// given, which must be valid, in place of those that an earlier With has given. One
// that has the name of another tenant's, or of an endpoint of NewSet, is left out.
// The cost is that of copying maps, and not of the endpoints of all other tenants.
func (s *Set) With(stored map[string][]Endpoint) *Set {
	if s == nil {
		s = &Set{}
	}
	next := &Set{endpoints: s.endpoints, stored: cloned(s.stored), index: cloned(s.index), routes: cloned(s.routes), filtering: s.filtering}
	for tenant := range stored {
		for i := range next.stored[tenant] {
			left := &next.stored[tenant][i]
			delete(next.index, left.Name)
			if left.Filter != nil {
				next.filtering--
			}
		}
		delete(next.stored, tenant)
		delete(next.routes, tenant)
		for i := range s.endpoints {
			if s.endpoints[i].Tenant == tenant {
				next.route(&s.endpoints[i])
			}
		}
	}
	for tenant, endpoints := range stored {
		next.store(tenant, endpoints)
	}
	return next
}

// store adds stored endpoints of a tenant that has none.
func (s *Set) store(tenant string, endpoints []Endpoint) {
	kept := make([]Endpoint, 0, len(endpoints))
	for _, e := range endpoints {
		if _, taken := s.index[e.Name]; taken || e.Tenant != tenant {
			continue
		}
		kept = append(kept, e.WithDefaults())
		added := &kept[len(kept)-1]
		s.note(added)
		s.route(added)
	}
	if len(kept) > 0 {
		s.stored[tenant] = kept
	}
}

// cloned returns a copy of a map, which is never nil.
func cloned[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return make(map[K]V)
	}
	return maps.Clone(m)
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
	e, ok := s.index[name]
	if !ok {
		return Endpoint{}, false
	}
	return *e, true
}

// Len returns the number of endpoints.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return len(s.index)
}

// All returns the endpoints: those of NewSet, in the order in which they were given,
// then the stored ones, by tenant.
func (s *Set) All() iter.Seq[Endpoint] {
	return func(yield func(Endpoint) bool) {
		if s == nil {
			return
		}
		for i := range s.endpoints {
			if !yield(s.endpoints[i]) {
				return
			}
		}
		for _, tenant := range slices.Sorted(maps.Keys(s.stored)) {
			for i := range s.stored[tenant] {
				if !yield(s.stored[tenant][i]) {
					return
				}
			}
		}
	}
}
