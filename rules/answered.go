// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/body"
	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// answered says where the keys of objects stand in the answer to a request of ours: a
// place for each part of the key.
type answered struct {
	resource *Resource
	// paths are the paths of the parts in the answer, "" for a part that stands in the
	// request.
	paths []string
	// takes are the places themselves, which may take a part of what stands there.
	takes []Value
	// names are the indexes of those parts among the placeholders of the request.
	names []int
}

// compileAnswered compiles the places of a key's parts in the answer to a request with
// some placeholders: those before the last, if they are given, and the last.
func compileAnswered(resource *Resource, keys []string, id string, placeholders []string) (answered, error) {
	a := answered{resource: resource}
	places, err := keyPlaces(resource, keys, id, func(name string) bool { return slices.Contains(placeholders, name) })
	if err != nil {
		return a, err
	}
	for _, v := range places {
		path, name := v.Name, -1
		if v.Source != FromResponse {
			path = ""
			if name = slices.Index(placeholders, v.Name); v.Source != FromPath {
				name = slices.Index(placeholders, v.text)
			}
			if name < 0 {
				return a, fmt.Errorf("%s is no placeholder of the request; a part of the key stands in the answer or in the request that is sent", v)
			}
		}
		a.paths, a.names, a.takes = append(a.paths, path), append(a.names, name), append(a.takes, v)
	}
	return a, checkColumns(resource, places)
}

// keyPlaces returns the places of all parts of a key: those that are given, or the
// placeholders of their names, if there are such.
func keyPlaces(resource *Resource, keys []string, id string, has func(name string) bool) ([]Value, error) {
	names := resource.Show.Names
	before := names[:len(names)-1]
	switch {
	case len(keys) == 0:
		for _, name := range before {
			if !has(name) {
				return nil, fmt.Errorf("its key has %d parts (%s), and nothing tells :%s; write where each part stands, in this order", len(names), resource.showText, name)
			}
			keys = append(keys, ":"+name)
		}
	case len(keys) != len(before):
		return nil, fmt.Errorf("its key has %d parts (%s), and %d places are given; write one for each, in this order", len(names), resource.showText, len(keys)+1)
	}
	return parseAll(append(slices.Clone(keys), id), parsePlace)
}

// checkColumns refuses places of which nothing tells which values belong together.
func checkColumns(resource *Resource, places []Value) error {
	parts := make([]KeyPart, len(places))
	for i, v := range places {
		parts[i] = KeyPart{Placeholder: -1, Response: []Value{v}}
	}
	return checkPairs(resource.Show.Names, parts)
}

// rows returns the parts of the keys in an answer, to a request with some values for
// its placeholders. Also are the paths of what is wanted besides: it follows the parts.
func (a answered) rows(json []byte, values []string, limit int, also ...string) ([][]string, error) {
	if len(a.paths) == 1 && len(also) == 0 && a.paths[0] != "" {
		texts, err := a.takes[0].Take(body.Scalars(json, a.paths[0], limit), limit)
		if err != nil {
			return nil, err
		}
		rows := make([][]string, len(texts))
		for i := range texts {
			rows[i] = texts[i : i+1]
		}
		return rows, nil
	}
	var paths []string
	for _, path := range slices.Concat(a.paths, also) {
		if path != "" {
			paths = append(paths, path)
		}
	}
	found, err := body.ScalarRows(json, paths, limit)
	if err != nil {
		return nil, err
	}
	rows := make([][]string, 0, len(found.All))
	for _, texts := range found.All {
		row := make([]string, 0, len(a.paths)+len(also))
		for i, path := range a.paths {
			if path == "" {
				row = append(row, values[a.names[i]])
			} else {
				row, texts = append(row, texts[0]), texts[1:]
			}
		}
		rows = append(rows, append(row, texts...))
	}
	return TakeRows(a.takes, rows, limit)
}

// keys returns the keys of rows. It leaves out objects that no request of ours can name.
func (a answered) keys(rows [][]string) []event.Key {
	var keys []event.Key
	for _, row := range rows {
		if key, err := a.resource.NewKey(row[:len(a.paths)]...); err == nil {
			keys = append(keys, key)
		}
	}
	return keys
}
