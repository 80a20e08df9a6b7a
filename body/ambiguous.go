// SPDX-License-Identifier: Apache-2.0

package body

import (
	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/internal/jsonpath"
)

// Ambiguous reports whether a valid JSON document has, anywhere on a path, more
// than one member of the name that the path takes. Parsers disagree about which
// of them counts (RFC 8259, section 4). The value found there may not be the
// one that the API read, so an id must not be taken from it.
//
// Where the path has more than names, indexes, "#" and "*", any repeated name
// in the document makes it ambiguous.
func Ambiguous(document []byte, path string) bool {
	steps, err := jsonpath.Parse(path)
	if err != nil {
		return repeats(gjson.ParseBytes(document))
	}
	return ambiguous(gjson.ParseBytes(document), steps)
}

func ambiguous(at gjson.Result, steps []jsonpath.Step) bool {
	if len(steps) == 0 || !at.IsObject() && !at.IsArray() {
		return false
	}
	step, rest := steps[0], steps[1:]
	if step.Kind == jsonpath.Each && at.IsObject() {
		return ambiguous(at, rest)
	}
	index, isIndex := step.Index()
	var seen map[string]bool
	if step.Kind == jsonpath.Any && at.IsObject() {
		seen = make(map[string]bool)
	}
	n, met, found := -1, 0, false
	at.ForEach(func(key, value gjson.Result) bool {
		n++
		switch {
		case seen != nil:
			found = seen[key.Str]
			seen[key.Str] = true
		case step.Kind != jsonpath.Name:
		case at.IsObject() && key.Str == step.Name:
			met++
			found = met > 1
		case at.IsArray() && isIndex && n == index:
		default:
			return true
		}
		found = found || ambiguous(value, rest)
		return !found
	})
	return found
}

// repeats reports whether any object within a value repeats a name.
func repeats(at gjson.Result) (found bool) {
	var seen map[string]bool
	if at.IsObject() {
		seen = make(map[string]bool)
	} else if !at.IsArray() {
		return false
	}
	at.ForEach(func(key, value gjson.Result) bool {
		if seen != nil {
			found = seen[key.Str]
			seen[key.Str] = true
		}
		found = found || repeats(value)
		return !found
	})
	return found
}
