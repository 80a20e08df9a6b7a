// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"errors"
	"fmt"
	"github.com/caddy-webhooks/caddy-webhooks/body"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// maxKeys limits how many objects one exchange can name. What a larger one
// names is found by looking at all objects of the resource.
const maxKeys = 10_000

// Reasons why a response does not tell which object it is about. They are
// shown to the operator with the unresolved intent.
var (
	errNoID        = errors.New("the response has no id at the resource's id paths, and no Location of its show")
	errNoResponse  = errors.New("the exchange ended without a response that tells which object it is about")
	errTruncated   = errors.New("the response is larger than `capture`, and has no Location of the resource's show")
	errUndecodable = errors.New("the response's Content-Encoding could not be decoded, and it has no Location of the resource's show")
	errTooMany     = fmt.Errorf("the exchange names more than %d objects", maxKeys)
	errAmbiguous   = errors.New("the id stands under a name that the response has twice")
)

// text returns the one value that the exchange has at v, or "".
func (x *exchange) text(v value) string {
	switch v.source {
	case fromPath:
		return x.match.value(x.match.rule, v.name)
	case fromResponse:
		json, _ := x.tee.answer.json()
		return body.Scalar(json, v.name)
	case fromLocation:
		target := x.location()
		if target == nil {
			return ""
		}
		return target.RequestURI()
	case fromRequest, fromQuery, fromHeader:
	}
	return x.request.text(v)
}

// texts returns all values that the exchange has at v.
func (x *exchange) texts(v value) []string {
	switch v.source {
	case fromResponse:
		json, _ := x.tee.answer.json()
		return body.Scalars(json, v.name, maxKeys)
	case fromPath, fromLocation:
		if text := x.text(v); text != "" {
			return []string{text}
		}
		return nil
	case fromRequest, fromQuery, fromHeader:
	}
	return x.request.texts(v)
}

// requestKeys returns the keys of the objects that the request names, or none
// where only the response can tell.
func (x *exchange) requestKeys() ([]event.Key, error) {
	return x.keysFrom(func(part keyPart) []value { return part.request })
}

// keysFrom puts keys together from the placeholders of the path and what
// stands at the values. Only the last part can name several objects.
func (x *exchange) keysFrom(values func(keyPart) []value) ([]event.Key, error) {
	rule := x.match.rule
	last := len(rule.parts) - 1
	parts := make([]string, len(rule.parts))
	var ids []string
	for i, part := range rule.parts {
		var texts []string
		if part.place >= 0 && part.place < x.match.count {
			texts = []string{x.match.values[part.place]}
		} else {
			for _, v := range values(part) {
				if texts = x.texts(v); len(texts) > 0 {
					break
				}
			}
		}
		switch {
		case len(texts) == 0:
			return nil, nil
		case i == last:
			ids = texts
		default:
			parts[i] = texts[0]
		}
	}
	return newKeys(rule.resource.name, parts, ids)
}

// newKeys makes the keys of objects that differ in the last part.
func newKeys(resource string, parts, ids []string) ([]event.Key, error) {
	if len(ids) > maxKeys {
		return nil, errTooMany
	}
	keys := make([]event.Key, 0, len(ids))
	for _, id := range ids {
		parts[len(parts)-1] = id
		key, err := event.NewKey(resource, parts...)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	if len(keys) > 1 {
		slices.SortFunc(keys, func(a, b event.Key) int { return strings.Compare(a.ID, b.ID) })
		keys = slices.Compact(keys)
	}
	return keys, nil
}

// identify returns the keys of the objects that the response is about: by the
// ids in its body, or else by a Location that the resource's show matches.
func (x *exchange) identify() ([]event.Key, error) {
	if x.tee.status < 200 || x.tee.status > 399 {
		return nil, errNoResponse
	}
	keys, err := x.keysFrom(func(part keyPart) []value {
		return append(slices.Clone(part.request), part.response...)
	})
	if err == nil && len(keys) > 0 {
		if x.ambiguous() {
			return nil, errAmbiguous
		}
		return keys, nil
	}
	if key, ok := x.fromLocation(); ok {
		return []event.Key{key}, nil
	}
	if _, problem := x.tee.answer.json(); problem != nil {
		return nil, problem
	}
	if err != nil {
		return nil, err
	}
	return nil, errNoID
}

// location returns where the response's Location leads, nil where it is no
// place of this API: RFC 9111, section 4.4 has the same guard for the
// invalidation of caches.
func (x *exchange) location() *url.URL {
	if x.tee.answer.location == "" {
		return nil
	}
	request := x.request.r.URL
	target, err := request.Parse(x.tee.answer.location)
	if err != nil {
		return nil
	}
	host := x.request.r.Host
	if target.Host != "" && !strings.EqualFold(target.Host, host) && !strings.EqualFold(target.Host, request.Host) {
		return nil
	}
	return target
}

// fromLocation reads the key from the Location of a created object.
func (x *exchange) fromLocation() (event.Key, bool) {
	show := &x.match.rule.resource.show
	target := x.location()
	if target == nil || len(show.path.names) != len(show.names) {
		return event.Key{}, false
	}
	parts, ok := show.path.parts(target.EscapedPath())
	if !ok {
		return event.Key{}, false
	}
	key, err := event.NewKey(x.match.rule.resource.name, parts...)
	return key, err == nil
}

// searched tells what to mark where nothing tells the object: the listing by
// which it is found, where there is one.
func (x *exchange) searched(outcome event.Outcome, reason error) (keys []event.Key, unresolved string) {
	rule := x.match.rule
	if rule.later != nil && outcome == event.OutcomeChanged && x.tee.status == http.StatusAccepted {
		key, err := x.queryKey(rule.later, &x.match, event.Key{})
		if err == nil {
			return []event.Key{key}, ""
		}
		reason = fmt.Errorf("later: %w", err)
	}
	if !x.find.IsZero() {
		return []event.Key{x.find}, ""
	}
	return nil, reason.Error()
}

// touched returns the keys of the objects, or of the listing of them, that a
// rule's touch names. It fails where the exchange does not tell yet.
func (x *exchange) touched(m *match, t *touch, own event.Key) ([]event.Key, error) {
	if t.via != nil {
		key, err := x.queryKey(t.via, m, own)
		if err != nil {
			return nil, err
		}
		return []event.Key{key}, nil
	}
	if !t.ids.inRequest() && x.tee.status == 0 {
		return nil, errNotYet
	}
	var ids []string
	if t.ids.source == fromPath {
		ids = []string{m.value(m.rule, t.ids.name)}
	} else {
		ids = x.texts(t.ids)
	}
	return newKeys(t.target.name, make([]string, 1), ids)
}

// alsoTouched returns what else the exchange changed, once its response is
// known as far as it ever will be.
func (x *exchange) alsoTouched(own []event.Key) []event.Key {
	keys := slices.Clone(x.ahead)
	first := event.Key{}
	if len(own) > 0 && own[0].Resource == x.match.rule.resource.name {
		first = own[0]
	}
	x.handler.rules.matcher.others(&x.request, func(other *match) {
		for i := range other.rule.touches {
			found, err := x.touched(other, &other.rule.touches[i], first)
			if err != nil {
				x.handler.missedTouch(other.rule, err)
			}
			for _, key := range found {
				if !slices.Contains(keys, key) && !slices.Contains(own, key) && len(keys) <= maxKeys {
					keys = append(keys, key)
				}
			}
		}
	})
	return keys
}
