// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"errors"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/body"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
)

// json returns the captured body as JSON, whatever structure it came in, or
// nil. The error says why a body is missing; one without structure is no error.
func (c *captured) json() ([]byte, error) {
	if c.parsed {
		return c.plain, c.problem
	}
	c.parsed = true
	if c.truncated {
		c.problem = errTruncated
		return nil, c.problem
	}
	plain, err := body.Decode(c.body, c.encoding)
	if err != nil {
		c.problem = errUndecodable
		return nil, c.problem
	}
	c.decoded = plain
	if c.plain, err = body.Normalise(plain, c.kind); err != nil {
		c.plain = nil
		if !errors.Is(err, body.ErrNoStructure) {
			c.problem = errUndecodable
		}
	}
	return c.plain, c.problem
}

// version returns the version that the response to a write tells, or "".
//
// This is on the way of every matched write, so the body is not validated
// first, which would cost ten times the look-up. What gjson makes of invalid
// JSON is unspecified: at worst a Show is asked for again that was fresh.
func (x *exchange) version() string {
	r := x.match.Rule.Resource
	answer := &x.tee.answer
	switch {
	case r.ETag:
		return answer.etag
	case r.Version == "" || answer.truncated:
		return ""
	case answer.parsed:
		return body.Text(answer.plain, r.Version)
	}
	plain, err := body.Decode(answer.body, answer.encoding)
	if err != nil {
		return ""
	}
	if len(plain) > 0 && plain[0] == '<' {
		json, _ := answer.json()
		return body.Text(json, r.Version)
	}
	return event.Text([]byte(gjson.GetBytes(plain, r.Version).Raw))
}

// ambiguous tells whether an id that the response told stands under a name
// that it has twice, so that another reader may take another id.
func (x *exchange) ambiguous() bool {
	json, _ := x.tee.answer.json()
	for _, part := range x.match.Rule.Parts {
		for _, v := range part.Response {
			if v.Source == rules.FromResponse && body.Scalars(json, v.Name, rules.MaxKeys) != nil {
				if body.Ambiguous(json, v.Name) {
					return true
				}
				break
			}
		}
	}
	return false
}
