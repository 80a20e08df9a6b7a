// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"errors"
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
)

// surrounding is the gate of what the server around this one has found out.
type surrounding struct {
	authorize callbacks.Authorize
	name      func(r *http.Request) string
}

// Surrounding returns a gate that believes the server around this one: tenant returns a
// person's tenant, "" for nobody, and name who it is, "" if that is not known. Whoever is
// known there counts as stepped up: when somebody has to show it again is that server's to
// say.
func Surrounding(tenant, name func(r *http.Request) string) Gate {
	return &surrounding{callbacks.Surrounding(func(r *http.Request) (string, error) { return tenant(r), nil }), name}
}

// Person implements [Gate].
func (s *surrounding) Person(r *http.Request) (Person, error) {
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
