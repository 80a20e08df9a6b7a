// SPDX-License-Identifier: Apache-2.0

package body

import (
	"encoding/json"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/internal/jsonpath"
)

// Values returns the values at a path of a valid JSON document, in order, as
// raw JSON. In a path, "#" takes each element of an array, also at its end
// ("ids.#"); lists within lists are flattened.
//
// Unlike in gjson's own paths, "#" treats a value that is no array as a list of
// one: XML does not distinguish a list of one element from an element, and the
// only change in it would be overlooked.
//
// Queries and modifiers go to gjson as they are. Their result counts as one
// value, or as a list of values if the path has a "#".
func Values(document []byte, path string) []json.RawMessage {
	steps, err := jsonpath.Parse(path)
	if err != nil {
		return valuesOfQuery(document, path)
	}
	return appendValues(nil, gjson.ParseBytes(document), steps)
}

func appendValues(values []json.RawMessage, at gjson.Result, steps []jsonpath.Step) []json.RawMessage {
	if !at.Exists() {
		return values
	}
	if len(steps) == 0 {
		return append(values, json.RawMessage(at.Raw))
	}
	step, rest := steps[0], steps[1:]
	switch {
	case step.Kind == jsonpath.Each && !at.IsArray():
		return appendValues(values, at, rest)
	case step.Kind == jsonpath.Name:
		if member := child(at, step); member.Exists() {
			return appendValues(values, member, rest)
		}
		return values
	}
	at.ForEach(func(_, value gjson.Result) bool {
		values = appendValues(values, value, rest)
		return true
	})
	return values
}

// child returns the member or element that a step names.
func child(at gjson.Result, step jsonpath.Step) (found gjson.Result) {
	index, isIndex := step.Index()
	if at.IsArray() && !isIndex {
		return found
	}
	n := -1
	at.ForEach(func(key, value gjson.Result) bool {
		n++
		hit := at.IsArray() && n == index || at.IsObject() && key.Str == step.Name
		if hit {
			found = value
		}
		return !hit
	})
	return found
}

// valuesOfQuery leaves out results that are not JSON: gjson's modifiers and
// literals can make anything.
func valuesOfQuery(document []byte, path string) (values []json.RawMessage) {
	result := gjson.GetBytes(document, path)
	list := []gjson.Result{result}
	if result.IsArray() {
		list = result.Array()
	}
	for _, value := range list {
		if value.Exists() && json.Valid([]byte(value.Raw)) {
			values = append(values, json.RawMessage(value.Raw))
		}
	}
	return values
}
