// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/body"
	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// version returns the version of the object that the response to a write shows,
// or "".
//
// Every matched write comes here, so the body is not validated first, which would
// cost ten times the look-up. What gjson makes of invalid JSON is unspecified: at
// worst a Show that was fresh is read again.
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
