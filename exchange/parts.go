// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/body"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
)

// part is what an exchange has for one part of a key.
type part struct {
	// place is where the texts stand, zero where the path or an answer tells the
	// part.
	place rules.Value
	texts []string
}

// joined returns the keys of the objects that some parts name together: rows, of
// which each has a text for each part. Where several parts have several texts, those
// belong together that stand in the same element of a body's array; of others nobody
// knows.
func (x *exchange) joined(parts []part) ([][]string, error) {
	if len(parts) == 1 {
		rows := make([][]string, len(parts[0].texts))
		for i := range parts[0].texts {
			rows[i] = parts[0].texts[i : i+1]
		}
		return rows, nil
	}
	rows := [][]string{make([]string, len(parts))}
	for i := range parts {
		group := together(parts, i)
		if group[0] < i {
			continue // joined already
		}
		found, err := x.together(parts, group)
		switch {
		case err != nil:
			return nil, err
		case len(found) > 1 && len(rows) > 1:
			return nil, body.ErrUnpaired
		case len(found) > rules.MaxKeys:
			return nil, errTooMany
		}
		rows = crossed(rows, found, group)
	}
	return rows, nil
}

// together returns the indexes of the parts that stand in the same body as part i, or
// i alone.
func together(parts []part, i int) (group []int) {
	source := parts[i].place.Source
	if parts[i].place.IsZero() || source != rules.FromRequest && source != rules.FromResponse {
		return []int{i}
	}
	for j := range parts {
		if !parts[j].place.IsZero() && parts[j].place.Source == source {
			group = append(group, j)
		}
	}
	return group
}

// together returns the rows of a group of parts.
func (x *exchange) together(parts []part, group []int) (rows [][]string, err error) {
	if len(group) == 1 {
		for _, text := range parts[group[0]].texts {
			rows = append(rows, []string{text})
		}
		return rows, nil
	}
	places := make([]rules.Value, len(group))
	paths := make([]string, len(group))
	for i, at := range group {
		places[i], paths[i] = parts[at].place, parts[at].place.Name
	}
	if places[0].Source == rules.FromResponse {
		json, _ := x.tee.answer.json()
		found, err := body.ScalarRows(json, paths, rules.MaxKeys)
		if err != nil {
			return nil, err
		}
		return rules.TakeRows(places, found.All, rules.MaxKeys)
	}
	rows, unsure, err := x.request.Rows(places)
	x.doubt(unsure)
	if err != nil {
		return nil, err
	}
	return rules.TakeRows(places, rows, rules.MaxKeys)
}

// doubt notes that the API may have understood the request otherwise.
func (x *exchange) doubt(unsure error) {
	if unsure != nil && x.match.Unsure == nil {
		x.match.Unsure = unsure
	}
}

// crossed returns rows with those of a group in their places. Either has one row.
func crossed(rows, found [][]string, group []int) [][]string {
	made := make([][]string, 0, len(rows)*len(found))
	for _, row := range rows {
		for _, texts := range found {
			next := slices.Clone(row)
			for i, at := range group {
				next[at] = texts[i]
			}
			made = append(made, next)
		}
	}
	return made
}

// newKeys makes the keys of the objects whose parts are the rows.
func newKeys(resource *rules.Resource, rows [][]string) ([]event.Key, error) {
	if len(rows) > rules.MaxKeys {
		return nil, errTooMany
	}
	keys := make([]event.Key, 0, len(rows))
	for _, row := range rows {
		key, err := resource.NewKey(row...)
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
