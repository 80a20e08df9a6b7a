// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/body"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
)

// Reasons why a response does not show which object it is about. Operators see
// them with the unresolved intent.
var (
	errNoID        = errors.New("the response has no id at the resource's id paths, and no Location of its show")
	errNoResponse  = errors.New("the exchange ended without a response that tells which object it is about")
	errTruncated   = errors.New("the response is larger than `capture`, and has no Location of the resource's show")
	errUndecodable = errors.New("the response's Content-Encoding could not be decoded, and it has no Location of the resource's show")
	errTooMany     = fmt.Errorf("the exchange names more than %d objects", rules.MaxKeys)
	errBadLocation = errors.New("the response has no id at the resource's id paths, and its Location is no URL")
	errAmbiguous   = errors.New("the id stands under a name that the response has twice")
)

// requestKeys returns the keys of the objects that the request names, none if
// only the response can name them. It fails if nobody can tell what it names, and the
// response does not either.
func (x *exchange) requestKeys() ([]event.Key, error) {
	if x.match.Rule.TakesDestination(x.request.Method) && x.request.HTTP.Header["Destination"] != nil {
		key, err := x.destination()
		if err != nil {
			return nil, err
		}
		return []event.Key{key}, nil
	}
	keys, err := x.keysFrom(func(part rules.KeyPart) []rules.Value { return part.Request })
	if last := x.match.Rule.Key[len(x.match.Rule.Key)-1]; errors.Is(err, rules.ErrCallerID) && last.Answer != nil {
		x.byAnswer = true
		return nil, nil
	}
	return keys, err
}

// keysFrom makes keys of the placeholders in the path and of the exchange's values.
// Where parts have several texts, there are keys of all that belong together. If a part
// is missing, there are no keys. If readers of the request find different parts, there
// are keys of all.
func (x *exchange) keysFrom(values func(rules.KeyPart) []rules.Value) ([]event.Key, error) {
	rule := x.match.Rule
	last := len(rule.Key) - 1
	parts := make([]part, len(rule.Key))
	for i, of := range rule.Key {
		var unread error
		switch {
		case x.byAnswer && i == last:
			parts[i].texts = x.answered(of)
		case of.Placeholder >= 0:
			parts[i].texts, unread = of.Taken.Take([]string{x.match.Values()[of.Placeholder]}, rules.MaxKeys)
		default:
			parts[i], unread = x.partOf(of, values(of))
		}
		switch {
		case unread != nil:
			return nil, unread
		case len(parts[i].texts) == 0:
			return nil, nil
		}
	}
	rows, err := x.joined(parts)
	if err != nil {
		return nil, err
	}
	return newKeys(rule.Resource, rows)
}

// partOf returns what stands at the first of some places for a part of the key that
// has anything. It fails if nobody can tell what stands in the request, and the response
// does not show the part.
func (x *exchange) partOf(of rules.KeyPart, places []rules.Value) (found part, unread error) {
	for _, v := range places {
		texts, unsure, err := x.texts(v)
		if err != nil && len(of.Response) == 0 {
			unread = err
		}
		x.doubt(unsure)
		if len(texts) > 0 {
			return part{v, texts}, unread
		}
	}
	return part{}, unread
}

// answered returns the id in the answer to a request whose path has an id that stands
// for the caller.
func (x *exchange) answered(part rules.KeyPart) []string {
	json, _ := x.tee.answer.json()
	for _, v := range part.Answer {
		if text := v.TakeOne(body.Scalar(json, v.Name)); text != "" && !body.Ambiguous(json, v.Name) {
			return []string{text}
		}
	}
	return nil
}

// identify decides which objects the exchange is about if the request does not
// name them: by the ids in the response's body, or else by a Location that the
// resource's show matches. The error says why there are none.
func (x *exchange) identify() ([]event.Key, error) {
	if x.tee.status < 200 || x.tee.status > 399 {
		return nil, errNoResponse
	}
	if key, accepted := x.accepted(); accepted {
		return []event.Key{key}, nil
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
	if x.ledAway() {
		return nil, errLedAway
	}
	if err := x.leadsElsewhere(); err != nil {
		return nil, err
	}
	return nil, errNoID
}

// location returns the target of the response's Location, nil if that is not a
// place of this API.
func (x *exchange) location() *url.URL {
	if x.tee.answer.location == "" {
		return nil
	}
	return x.ownPlace(x.tee.answer.location)
}

// fromLocation returns the key of the object whose Show is at the Location.
func (x *exchange) fromLocation() (event.Key, bool) {
	target := x.location()
	if target == nil {
		return event.Key{}, false
	}
	return x.match.Rule.Resource.KeyAt(target.EscapedPath(), x.told())
}

// told returns the parts of the key that the request tells, "" for the others.
func (x *exchange) told() []string {
	texts := make([]string, len(x.match.Rule.Key))
	for i, of := range x.match.Rule.Key {
		if of.Placeholder >= 0 && of.Taken.IsZero() {
			texts[i] = x.match.Values()[of.Placeholder]
		} else if found, unread := x.partOf(of, of.Request); unread == nil && len(found.texts) == 1 {
			texts[i] = found.texts[0]
		}
	}
	return texts
}

// searched returns what to mark if the exchange does not show the object: the
// query that finds it, if the rule has one. Otherwise it returns why the exchange
// is unresolved.
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

// ambiguous reports whether the id in the response stands under a name that it
// has twice, so that another reader may take another id.
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
