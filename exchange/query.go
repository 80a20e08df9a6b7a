// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"errors"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
)

// errNotYet is returned for a value that is only known when the exchange ends.
var errNotYet = errors.New("the exchange does not tell all that the request is made of")

// queryKey returns the key of the mark by which a query of m's rule is sent, with
// values of the exchange for its placeholders. Own is the key of the object that
// the exchange is about, zero while it is not known.
func (x *exchange) queryKey(q *rules.Query, m *rules.Match, own event.Key) (event.Key, error) {
	parts := make([]string, 0, len(q.Values))
	for i, v := range q.Values {
		text := ""
		switch {
		case v.Source == rules.FromPath:
			text = m.Placeholder(v.Name)
		case !v.IsZero():
			text = x.text(v)
		case own.Resource == m.Rule.Resource.Name:
			at := slices.Index(m.Rule.Resource.Show.Names, q.Request.Names[i])
			text = own.Parts()[at]
		}
		if text == "" {
			return event.Key{}, errNotYet
		}
		parts = append(parts, text)
	}
	// What the request cannot be made of would be tried for ever.
	if err := q.Request.Check(parts); err != nil {
		return event.Key{}, err
	}
	return event.NewKey(q.Name, parts...)
}
