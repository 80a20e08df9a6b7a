// SPDX-License-Identifier: Apache-2.0

package shape

import (
	"maps"
	"slices"
	"strings"
)

// kind is what a member's value is.
type kind int

const (
	// whole is any JSON value: a form cannot say it.
	whole kind = iota
	text
	flag
	texts
)

// member is something of a thing that can be given a name.
type member struct {
	kind kind
	// given is true if a request may set it.
	given bool
	// view is true if it is another view of a member of ours, see views.go.
	view bool
	// free is true if members of any name stand below it.
	free bool
}

var (
	told    = member{}
	taken   = member{kind: text, given: true}
	things  = member{kind: whole, given: true}
	members = map[string]map[string]member{
		Endpoint: {
			"id": told, "label": taken, "url": taken, "filter": taken, "signature": taken, "rate": taken, "order": taken, "status": taken,
			"events": {kind: texts, given: true}, "type": {kind: text, given: true, view: true}, "enabled": {kind: flag, given: true, view: true},
			"payload": things, "payload.format": taken, "payload.source": taken, "payload.url": taken, "payload.fields": things,
			"payload.binary": {kind: flag, given: true}, "payload.previous": {kind: flag, given: true},
			"auth": things, "auth.scheme": taken, "auth.name": taken, "auth.credential": taken,
			"headers": {kind: whole, given: true, free: true}, "metadata": {kind: whole, given: true, free: true},
			"since": told, "reason": told, "created_at": told, "secrets": told, "secret": told, "cursor": told, "verification": told,
		},
		Delivery: {
			"id": told, "event": told, "type": told, "object": told, "object.id": {view: true}, "object.resource": {view: true}, "sequence": told,
			"endpoint": told, "status": told, "created_at": told, "due_at": told, "finished_at": told, "attempts": told,
			"last.number": {view: true}, "last.at": {view: true}, "last.status": {view: true}, "last.ms": {view: true}, "last.body": {view: true}, "last.error": {view: true},
		},
		Event: {
			"id": told, "webhook_id": told, "type": told, "object": told, "object.id": {view: true}, "object.resource": {view: true}, "sequence": told,
			"op": told, "time": told, "freshness": told, "content_type": told, "size": told, "deliveries": told,
		},
	}
)

// find returns the member of a thing at a path of ours.
func find(thing, path string) (member, bool) {
	m, known := members[thing][path]
	if known {
		return m, true
	}
	if above, name, below := strings.Cut(path, "."); below && name != "" && !strings.Contains(name, ".") {
		if m := members[thing][above]; m.free {
			return taken, true
		}
	}
	return m, false
}

// names returns the paths that a thing has.
func names(thing string) []string { return slices.Sorted(maps.Keys(members[thing])) }
