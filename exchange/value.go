// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"github.com/caddy-webhooks/caddy-webhooks/body"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
)

// text returns the string or number that the exchange has at v, or "". In the request,
// all readers must find it there.
func (x *exchange) text(v rules.Value) string {
	switch v.Source {
	case rules.FromPath:
		return x.match.Placeholder(v.Name)
	case rules.FromResponse:
		json, _ := x.tee.answer.json()
		if body.Ambiguous(json, v.Name) {
			return "" // another reader may find another
		}
		return body.Scalar(json, v.Name)
	case rules.FromLocation:
		target := x.location()
		if target == nil {
			return ""
		}
		return target.RequestURI()
	case rules.FromRequest, rules.FromQuery, rules.FromHeader:
	}
	return x.request.Text(v)
}

// texts returns all strings and numbers that the exchange has at v. Where readers of the
// request find different ones, it returns all, and unsure says why. The error says why
// nobody can tell what they find.
func (x *exchange) texts(v rules.Value) (texts []string, unsure, err error) {
	switch v.Source {
	case rules.FromResponse:
		json, _ := x.tee.answer.json()
		return body.Scalars(json, v.Name, rules.MaxKeys), nil, nil
	case rules.FromPath, rules.FromLocation:
		if text := x.text(v); text != "" {
			texts = []string{text}
		}
		return texts, nil, nil
	case rules.FromRequest, rules.FromQuery, rules.FromHeader:
	}
	return x.request.Texts(v)
}
