// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/body"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
)

// Reasons why a response does not tell which object it is about. They are
// shown to the operator with the unresolved intent.
var (
	errNoID        = errors.New("the response has no id at the resource's id paths, and no Location of its show")
	errNoResponse  = errors.New("the exchange ended without a response that tells which object it is about")
	errTruncated   = errors.New("the response is larger than `capture`, and has no Location of the resource's show")
	errUndecodable = errors.New("the response's Content-Encoding could not be decoded, and it has no Location of the resource's show")
	errTooMany     = fmt.Errorf("the exchange names more than %d objects", rules.MaxKeys)
	errAmbiguous   = errors.New("the id stands under a name that the response has twice")
)

// text returns the one value that the exchange has at v, or "".
func (x *exchange) text(v rules.Value) string {
	switch v.Source {
	case rules.FromPath:
		return x.match.Placeholder(v.Name)
	case rules.FromResponse:
		json, _ := x.tee.answer.json()
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

// texts returns all values that the exchange has at v.
func (x *exchange) texts(v rules.Value) []string {
	switch v.Source {
	case rules.FromResponse:
		json, _ := x.tee.answer.json()
		return body.Scalars(json, v.Name, rules.MaxKeys)
	case rules.FromPath, rules.FromLocation:
		if text := x.text(v); text != "" {
			return []string{text}
		}
		return nil
	case rules.FromRequest, rules.FromQuery, rules.FromHeader:
	}
	return x.request.Texts(v)
}

// requestKeys returns the keys of the objects that the request names, or none
// where only the response can tell.
func (x *exchange) requestKeys() ([]event.Key, error) {
	return x.keysFrom(func(part rules.KeyPart) []rules.Value { return part.Request })
}

// keysFrom puts keys together from the placeholders of the path and what
// stands at the values. Only the last part can name several objects.
func (x *exchange) keysFrom(values func(rules.KeyPart) []rules.Value) ([]event.Key, error) {
	rule := x.match.Rule
	last := len(rule.Key) - 1
	parts := make([]string, len(rule.Key))
	var ids []string
	for i, part := range rule.Key {
		var texts []string
		if part.Placeholder >= 0 {
			texts = []string{x.match.Values()[part.Placeholder]}
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
	return newKeys(rule.Resource.Name, parts, ids)
}

// newKeys makes the keys of objects that differ in the last part.
func newKeys(resource string, parts, ids []string) ([]event.Key, error) {
	if len(ids) > rules.MaxKeys {
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
	keys, err := x.keysFrom(func(part rules.KeyPart) []rules.Value {
		return append(slices.Clone(part.Request), part.Response...)
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
	request := x.request.HTTP.URL
	target, err := request.Parse(x.tee.answer.location)
	if err != nil {
		return nil
	}
	host := x.request.HTTP.Host
	if target.Host != "" && !strings.EqualFold(target.Host, host) && !strings.EqualFold(target.Host, request.Host) {
		return nil
	}
	return target
}

// fromLocation reads the key from the Location of a created object.
func (x *exchange) fromLocation() (event.Key, bool) {
	target := x.location()
	if target == nil {
		return event.Key{}, false
	}
	return x.match.Rule.Resource.KeyAt(target.EscapedPath())
}

// searched tells what to mark where nothing tells the object: the listing by
// which it is found, where there is one.
func (x *exchange) searched(outcome event.Outcome, reason error) (keys []event.Key, unresolved string) {
	rule := x.match.Rule
	if rule.Later != nil && outcome == event.OutcomeChanged && x.tee.status == http.StatusAccepted {
		key, err := x.queryKey(rule.Later, &x.match, event.Key{})
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
func (x *exchange) touched(m *rules.Match, t *rules.Touch, own event.Key) ([]event.Key, error) {
	if t.Via != nil {
		key, err := x.queryKey(t.Via, m, own)
		if err != nil {
			return nil, err
		}
		return []event.Key{key}, nil
	}
	if !t.IDs.InRequest() && x.tee.status == 0 {
		return nil, errNotYet
	}
	var ids []string
	if t.IDs.Source == rules.FromPath {
		ids = []string{m.Placeholder(t.IDs.Name)}
	} else {
		ids = x.texts(t.IDs)
	}
	return newKeys(t.Resource.Name, make([]string, 1), ids)
}

// alsoTouched returns what else the exchange changed, once its response is
// known as far as it ever will be.
func (x *exchange) alsoTouched(own []event.Key) []event.Key {
	keys := slices.Clone(x.ahead)
	first := event.Key{}
	if len(own) > 0 && own[0].Resource == x.match.Rule.Resource.Name {
		first = own[0]
	}
	x.watcher.Rules.Touching(&x.request, func(other *rules.Match) {
		for i := range other.Rule.Touches {
			found, err := x.touched(other, &other.Rule.Touches[i], first)
			if err != nil {
				x.watcher.missedTouch(other.Rule, err)
			}
			for _, key := range found {
				if !slices.Contains(keys, key) && !slices.Contains(own, key) && len(keys) <= rules.MaxKeys {
					keys = append(keys, key)
				}
			}
		}
	})
	return keys
}

// missedTouch reports that an exchange changed other objects that nothing names.
func (w *Watcher) missedTouch(r *rules.Rule, err error) {
	w.Metrics.Unresolved(r.Resource.Name)
	w.Logger.Warn("an exchange touched objects that nothing names", zap.String("rule", r.Name), zap.Error(err))
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
	for _, part := range x.match.Rule.Key {
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
