// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"net/url"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// KeyAt returns the key of the object whose Show has an escaped path. Told has the
// parts of the key that are known otherwise, "" for the others; nil for none. A part
// that the path only spells otherwise is taken as it is told: APIs write a space as "+",
// escape twice, or change the case, and the object would get a second key.
//
// KeyAt reports false if the path is not that of a Show, or does not name the object
// alone.
func (r *Resource) KeyAt(path string, told []string) (event.Key, bool) {
	if len(r.Show.path.names) != len(r.Show.Names) {
		return event.Key{}, false
	}
	if !r.Show.path.spells(r.endings) {
		path = r.endings.cut(path)
	}
	parts, ok := r.Show.path.match(path)
	if !ok {
		return event.Key{}, false
	}
	repaired := false
	for i := range told {
		if told[i] != "" && told[i] != parts[i] && spelledAlike(told[i], parts[i]) {
			parts[i], repaired = told[i], true
		}
	}
	key, err := r.NewKey(parts...)
	if err != nil {
		return event.Key{}, false
	}
	if isPlain(path) || len(spellings(path)) == 1 || r.Slashes && keepsSegments(path) {
		return key, true
	}
	// What servers disagree about may be no more than what is told.
	whole, err := r.Show.path.build(parts)
	return key, err == nil && repaired && plainest(path) == plainest(whole)
}

// spelledAlike reports whether two texts may be spellings of one part of a path.
func spelledAlike(a, b string) bool {
	return plainest("/"+url.PathEscape(a)) == plainest("/"+url.PathEscape(b))
}

// plainest returns a path without all that servers leave out, in lower case, and with
// spaces for "+".
func plainest(escaped string) string {
	path := strings.ReplaceAll(decodeAgain(lenient.read(escaped), false), "+", " ")
	return strings.ToLower(path)
}
