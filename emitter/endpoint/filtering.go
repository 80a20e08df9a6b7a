// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/event/when"
)

// Route returns the endpoints that get an event: those of [Set.Match] whose filters let
// it through, and those whose filters do not. Show returns the event's payload as a
// document, and is called if a filter asks. A filter that cannot be decided lets the
// event through: losing one is worse than one too many. Then undecided is called.
func (s *Set) Route(e *event.Event, show func() event.Document, undecided func(name string, err error)) (to, filtered []string) {
	matched := s.Match(e)
	if s == nil || s.filtering == 0 || len(matched) == 0 {
		return matched, nil
	}
	// What an endpoint may know depends on its tenant.
	facts := make(map[string]*when.Facts, 2)
	for i, name := range matched {
		if s.keeps(name, e, show, facts, undecided) {
			if filtered != nil {
				to = append(to, name)
			}
			continue
		}
		if filtered == nil {
			to = append([]string{}, matched[:i]...)
		}
		filtered = append(filtered, name)
	}
	if filtered == nil {
		return matched, nil
	}
	return to, filtered
}

// keeps reports whether an endpoint's filter lets an event through.
func (s *Set) keeps(name string, e *event.Event, show func() event.Document, facts map[string]*when.Facts, undecided func(string, error)) bool {
	of := s.index[name]
	if of.Filter == nil {
		return true
	}
	known, ok := facts[of.Tenant]
	if !ok {
		known = when.NewFacts(e.For(of.Tenant), show)
		facts[of.Tenant] = known
	}
	keeps, err := of.Filter.Keeps(known)
	if err != nil {
		undecided(name, err)
		return true
	}
	return keeps
}
