// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"errors"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// errNotYet is returned where a value is only known when the exchange ends.
var errNotYet = errors.New("the exchange does not tell all that the request is made of")

// queryKey returns the key of the mark that has a query of m's rule asked once,
// with the values of the exchange. Own is the key of the object that the
// exchange is about, zero while it is not known.
func (x *exchange) queryKey(l *listing, m *match, own event.Key) (event.Key, error) {
	parts := make([]string, 0, len(l.values))
	for i, v := range l.values {
		text := ""
		switch {
		case v.source == fromPath && v.text != "":
			text = m.value(m.rule, v.name)
		case v != (value{}):
			text = x.text(v)
		case own.Resource == m.rule.resource.name:
			at := slices.Index(m.rule.resource.show.names, l.request.names[i])
			text = own.Parts()[at]
		}
		if text == "" {
			return event.Key{}, errNotYet
		}
		parts = append(parts, text)
	}
	return event.NewKey(l.name, parts...)
}
