// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"github.com/caddy-webhooks/caddy-webhooks/body"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
)

// text returns the one string or number that the exchange has at v, or "". In the
// request, all readers must find it there.
func (x *exchange) text(v rules.Value) string {
	switch v.Source {
	case rules.FromPath:
		return v.TakeOne(x.match.Placeholder(v.Name))
	case rules.FromResponse:
		json, _ := x.tee.answer.json()
		if body.Ambiguous(json, v.Name) {
			return "" // another reader may find another
		}
		return v.TakeOne(body.Scalar(json, v.Name))
	case rules.FromLocation:
		target := x.location()
		if target == nil {
			return ""
		}
		return v.TakeOne(target.RequestURI())
	case rules.FromRequest, rules.FromQuery, rules.FromHeader:
	}
	return v.TakeOne(x.request.Text(v))
}

// texts returns all strings and numbers that the exchange has at v. Where readers of the
// request find different ones, it returns all, and unsure says why. The error says why
// nobody can tell what they find.
func (x *exchange) texts(v rules.Value) (texts []string, unsure, err error) {
	switch v.Source {
	case rules.FromResponse:
		json, _ := x.tee.answer.json()
		texts = body.Scalars(json, v.Name, rules.MaxKeys)
	case rules.FromPath:
		texts = nonEmpty(x.match.Placeholder(v.Name))
	case rules.FromLocation:
		if target := x.location(); target != nil {
			texts = nonEmpty(target.RequestURI())
		}
	case rules.FromRequest, rules.FromQuery, rules.FromHeader:
		texts, unsure, err = x.request.Texts(v)
	}
	if err != nil || !v.Takes() {
		return texts, unsure, err
	}
	texts, err = v.Take(texts, rules.MaxKeys)
	return texts, unsure, err
}

func nonEmpty(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}
