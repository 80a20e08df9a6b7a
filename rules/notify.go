// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/effect"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// Callback is the compiled option `notify`: where a request names a receiver of
// its own for the object's events, and which of them the receiver gets.
type Callback struct {
	// URL and Authorization say where in the request the receiver's URL and the
	// value of its Authorization header stand. A zero Authorization means that
	// none is sent.
	URL, Authorization Value
	// Filter matches the types of the events that are sent.
	Filter event.Filter
	// Until holds in the last Show that is sent. Nil means that only a delete
	// ends the sending.
	Until *Condition

	word *effect.Word // nil for nobody to be told
}

// compileNotify compiles the option `notify`.
func (r *Resource) compileNotify(d syntax.Resource) error {
	if d.Notify == nil {
		return nil
	}
	made := new(Callback)
	var err error
	if made.URL, err = parseValue(d.Notify.URL); err != nil {
		return err
	}
	if d.Notify.Authorization != "" {
		if made.Authorization, err = parseValue(d.Notify.Authorization); err != nil {
			return err
		}
	}
	if !made.URL.InRequest() || !made.Authorization.IsZero() && !made.Authorization.InRequest() {
		return errors.New("the receiver stands in the request; write request:PATH, query:NAME or header:NAME")
	}
	if made.Filter, err = event.ParseFilter(d.Notify.Events...); err != nil {
		return err
	}
	if d.Notify.Until != nil {
		if made.Until, err = compileUntil(d.Notify.Until); err != nil {
			return err
		}
	}
	r.Callback = made
	return nil
}
