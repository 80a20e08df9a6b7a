// SPDX-License-Identifier: Apache-2.0

package syntax

import (
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Rule says that a request changes an object of the resource.
type Rule struct {
	// Kind is what the request means to do: `create`, `update`, `delete`, or `move`:
	// the object gets another key, so one object ends and another begins. The path
	// and the resource name the old one; the rule's own ID and Keys, the Destination
	// of a MOVE, or the response name the new one.
	// What happened is decided by what the object was and what its Show is.
	Kind event.Kind `json:"kind"`

	// Methods are the HTTP methods that match. Default: any but GET, HEAD,
	// OPTIONS and TRACE.
	Methods []string `json:"methods,omitempty"`

	// Path is the path to match, in the syntax of Caddy's `url_pattern`
	// matcher. A trailing slash makes no difference. Every part of the
	// object's key that is no `:name` of this path must stand elsewhere in the
	// exchange, as `id` and `key` of the resource say.
	Path string `json:"path"`

	// ID and Keys say where the parts of the object's key stand in the exchanges of
	// this rule, in place of the resource's ID and Keys. A part that the path has
	// must not stand in them. Default: those of the resource.
	ID   []string            `json:"id,omitempty"`
	Keys map[string][]string `json:"keys,omitempty"`

	// Where narrows the rule by what the request says; all of the conditions
	// must hold. Conditions on the body (`request:PATH`) make requests to this
	// path wait until their body is read, up to `capture`.
	Where []*Condition `json:"where,omitempty"`

	// MatchRaw narrows the rule by Caddy's request matchers; one of the sets
	// must match.
	MatchRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`

	// Success says which responses mean that the API did what it was asked. In a
	// rule that deletes, they prove that there was an object. Default: 2xx, and those
	// of 301, 302 and 303 that lead to an object's Show, back to the request's path
	// or to one that contains it; and the delete of an object that nobody has seen, and
	// whose id does not stand in the response, is recorded as unresolved, as an API
	// may confirm the delete of what it never had.
	Success *Answer `json:"success,omitempty"`

	// Refused says which responses mean that the API changed nothing. Default:
	// 4xx, 307, 308, and a 301 to the request's own path, with or without a slash
	// at its end. What is neither a success nor refused is uncertain:
	// the object is looked at.
	Refused *Answer `json:"refused,omitempty"`

	// Touches names other objects that the exchange changes.
	Touches []*Touch `json:"touches,omitempty"`

	// Find is the request that finds an object by what the request to create
	// it said, such as an idempotency key or the client's own reference. With
	// it, a create whose outcome is unknown is resolved by evidence.
	Find *Query `json:"find,omitempty"`

	// Later is the request that names the object that was made by a request that
	// the API answered with 202 (Accepted) and does later.
	Later *Later `json:"later,omitempty"`
}

// Touch names other objects that an exchange changes.
type Touch struct {
	// Resource is the resource of the objects.
	Resource string `json:"resource"`

	// IDs is where the objects' ids stand: a path in the response, or any
	// other value of the exchange.
	IDs string `json:"ids,omitempty"`

	// Keys are where the parts of the objects' keys before the last stand, in the
	// order of the resource's Show. Default: the placeholders of those names in
	// the rule's path.
	Keys []string `json:"keys,omitempty"`

	// Children has the objects looked at that are known to belong to the rule's, as
	// `parent` in their resource says. Those that are gone are deleted.
	Children bool `json:"children,omitempty"`

	// Via is the request that lists the objects, where the exchange does not
	// name them. It is asked when the exchange has ended. An object that
	// nobody had seen before counts as created.
	Via *Query `json:"via,omitempty"`
}

// Later is how the object of an accepted request is found.
type Later struct {
	Query

	// Within is how long it is asked for. What is not there by then is
	// recorded as unresolved. Default: 10m.
	Within caddy.Duration `json:"within,omitempty"`
}

// String returns the rule's method and path, as "PUT|PATCH /items/:id".
func (d *Rule) String() string {
	text := strings.Join(d.Methods, "|")
	if len(d.Methods) == 0 {
		text = "*"
	}
	text += " " + d.Path
	for _, condition := range d.Where {
		text += " where " + condition.String()
	}
	return text
}
