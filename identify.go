// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Reasons why a response does not tell which object it is about. They are
// shown to the operator with the unresolved intent.
var (
	errNoID        = errors.New("the response has no id at the resource's id paths, and no Location of its show")
	errNoResponse  = errors.New("the exchange ended without a response that tells which object it is about")
	errTruncated   = errors.New("the response is larger than `capture`, and has no Location of the resource's show")
	errUndecodable = errors.New("the response's Content-Encoding could not be decoded, and it has no Location of the resource's show")
)

// identify returns the key of the object that a response is about: by the id
// in its body, or else by a Location that the resource's show pattern matches.
func (m *match) identify(request *url.URL, host string, answer *captured) (event.Key, error) {
	body, problem := answer.json()
	if body != nil {
		if id := firstID(body, m.rule.resource.ids); id != "" {
			return m.key(id)
		}
	}
	if key, ok := m.fromLocation(request, host, answer.location); ok {
		return key, nil
	}
	if problem != nil {
		return event.Key{}, problem
	}
	return event.Key{}, errNoID
}

// firstID returns the text of the first path that holds a string or a number.
// Numbers are taken as they stand: as a float, 9007199254740993 would be
// another object.
func firstID(body []byte, paths []string) string {
	for _, path := range paths {
		switch value := gjson.GetBytes(body, path); value.Type {
		case gjson.String:
			if value.Str != "" {
				return value.Str
			}
		case gjson.Number:
			return value.Raw
		case gjson.Null, gjson.False, gjson.True, gjson.JSON:
		}
	}
	return ""
}

// fromLocation reads the key from the Location of a created object. A Location
// on another host names no object of this API: RFC 9111, section 4.4 has the
// same guard for the invalidation of caches.
func (m *match) fromLocation(request *url.URL, host, location string) (event.Key, bool) {
	if location == "" {
		return event.Key{}, false
	}
	target, err := request.Parse(location)
	if err != nil || target.Host != "" && !strings.EqualFold(target.Host, host) && !strings.EqualFold(target.Host, request.Host) {
		return event.Key{}, false
	}
	show := &m.rule.resource.show
	parts := make([]string, 0, len(show.names))
	rest := cleanPath(target.EscapedPath())
	for _, want := range show.segments {
		if rest == "" || rest == "/" {
			return event.Key{}, false
		}
		var segment string
		segment, rest = nextSegment(rest)
		switch plain := unescape(segment); want {
		case "":
			parts = append(parts, plain)
		case plain:
		default:
			return event.Key{}, false
		}
	}
	if rest != "" && rest != "/" {
		return event.Key{}, false
	}
	key, err := event.NewKey(m.rule.resource.name, parts...)
	return key, err == nil
}

// version returns the version that a response to a write tells, or "".
//
// This is on the way of every matched write, so the body is not validated
// first, which would cost ten times the look-up. What gjson makes of invalid
// JSON is unspecified: at worst a Show is asked for again that was fresh.
func (m *match) version(answer *captured) string {
	path := m.rule.resource.version
	if path == "" || answer.truncated {
		return ""
	}
	body, err := decode(answer.body, answer.encoding)
	if err != nil {
		return ""
	}
	return event.Text(json.RawMessage(gjson.GetBytes(body, path).Raw))
}
