// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// compileMove compiles a rule of kind `move`: as one that deletes the object that the
// path and the resource name, and beside it one that creates the object that the rule's
// own `id` and `key`, the Destination of a MOVE, or the response name. A part of the
// key of which the rule says nothing stays as it was, but for the last.
func compileMove(d *syntax.Rule, of *Resource, keys map[string][]Value, matchers caddyhttp.MatcherSets) (*Rule, error) {
	if d.Find != nil || d.Later != nil {
		return nil, errors.New("a move has no `find` and no `later`: both of its objects are named when it has ended")
	}
	path, err := parseRulePath(d)
	if err != nil {
		return nil, err
	}
	ends := *d
	ends.Kind, ends.ID, ends.Keys = event.KindDelete, nil, nil
	from, err := compileRuleAt(path, &ends, of, keys, matchers)
	if err != nil {
		return nil, err
	}
	// The path names the old object: what of it the new one has in another place is
	// hidden from the new one's key.
	id := of.Show.Names[len(of.Show.Names)-1]
	hidden := path
	hidden.names = slices.Clone(path.names)
	for i, name := range hidden.names {
		if _, given := d.Keys[name]; given || name == id && (len(d.ID) > 0 || len(d.Keys) == 0) {
			hidden.names[i] = name + "@"
		}
	}
	to := *of
	to.ids = responseValues(of.ids)
	keys = cloneWithout(keys, id)
	makes := *d
	makes.Kind, makes.Touches = event.KindCreate, nil
	if from.Makes, err = compileRuleAt(hidden, &makes, &to, keys, matchers); err != nil {
		return nil, err
	}
	from.Makes.Resource = of
	from.declared, from.Makes.declared = d, d
	return from, nil
}

// cloneWithout returns the values of `key` without those of one name.
func cloneWithout(keys map[string][]Value, name string) map[string][]Value {
	rest := make(map[string][]Value, len(keys))
	for key, values := range keys {
		if key != name {
			rest[key] = values
		}
	}
	return rest
}

// TakesDestination reports whether the object of the rule is the one that the
// Destination of a request names: what MOVE and COPY make (RFC 4918, section 10.3).
func (r *Rule) TakesDestination(method string) bool {
	return r.Kind == event.KindCreate && (method == methodMove || method == methodCopy)
}

// The methods of WebDAV that make an object elsewhere.
const (
	methodMove = "MOVE"
	methodCopy = "COPY"
)

// Overwrites reports whether the answer to such a request says that there was an object
// at the destination before.
func (r *Rule) Overwrites(method string, status int) bool {
	return r.TakesDestination(method) && status == http.StatusNoContent
}
