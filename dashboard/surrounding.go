// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"errors"
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// surrounding is the gate of what the server around this one has found out.
type surrounding struct {
	authorize callbacks.Authorize
	name      func(r *http.Request) string
	operator  func(r *http.Request) bool
}

// Surrounding returns a gate that believes the server around this one: tenant returns a
// person's tenant, "" for nobody, and name who it is, "" if that is not known; operator
// reports whether it is an operator, who has no tenant then. Nil is for none. Whoever is
// known there counts as stepped up: when somebody has to show it again is that server's to
// say.
func Surrounding(tenant, name func(r *http.Request) string, operator func(r *http.Request) bool) Gate {
	return &surrounding{callbacks.Surrounding(func(r *http.Request) (string, error) { return tenant(r), nil }), name, operator}
}

// Person implements [Gate].
func (s *surrounding) Person(r *http.Request) (Person, error) {
	if s.operator != nil && s.operator(r) {
		person := Person{Operator: true, Name: visible(shortened(s.name(r))), SteppedUp: true}
		if person.Name == "" {
			person.Name = subscribers.OperatorName
		}
		return person, nil
	}
	caller, err := s.authorize(r, nil)
	if errors.Is(err, callbacks.ErrNobody) || errors.Is(err, callbacks.ErrRefused) {
		return Person{}, ErrNobody
	}
	if err != nil {
		return Person{}, err
	}
	person := Person{Tenant: caller.Tenant, Name: caller.Name, SteppedUp: true}
	if name := visible(shortened(s.name(r))); name != "" {
		person.Name = name
	}
	return person, nil
}

// StepUp implements [Gate]. Nobody is led there.
func (s *surrounding) StepUp(back string) string { return back }

// Pages implements [Gate].
func (s *surrounding) Pages() http.Handler { return nil }
