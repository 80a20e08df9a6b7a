// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/body"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// KeyPart says where one part of an object's key stands in an exchange.
type KeyPart struct {
	// Placeholder is the index of the part's placeholder in the rule's path, or
	// -1 if it has none.
	Placeholder int
	// Taken is what the part is of the placeholder's value; zero for all of it.
	Taken Value
	// Request and Response are the other places, those in the request and those
	// in the response. The first that holds a value is taken.
	Request, Response []Value
	// Answer are the places in the response of a part that the path has at its end,
	// for an id that stands for the caller. Elsewhere, an id in the response may be
	// that of another object.
	Answer []Value
}

// responseValues returns those of some values that stand in the response.
func responseValues(values []Value) []Value {
	return slices.DeleteFunc(slices.Clone(values), func(v Value) bool { return v.Source != FromResponse })
}

// compileKeys compiles the options `id` and `key`. It returns the values of
// `key`, by part.
func (r *Resource) compileKeys(d syntax.Resource) (map[string][]Value, error) {
	var err error
	if r.ids, err = storableValues(d.ID); err != nil {
		return nil, PartError{r.Name, "id", fmt.Errorf("resource %s: id: %w", r.Name, err)}
	}
	keys := make(map[string][]Value)
	for _, name := range slices.Sorted(maps.Keys(d.Keys)) {
		switch {
		case !slices.Contains(r.Show.Names, name):
			err = fmt.Errorf("show %s has no such name", r.showText)
		case name == r.Show.Names[len(r.Show.Names)-1] && r.idsGiven:
			err = errors.New("`id` says this already; keep one of them")
		default:
			keys[name], err = storableValues(d.Keys[name])
		}
		if err != nil {
			return nil, PartError{r.Name, "key", fmt.Errorf("resource %s: key :%s: %w", r.Name, name, err)}
		}
	}
	return keys, nil
}

// storableValues parses values that become part of a key, and so reach the disk.
func storableValues(texts []string) ([]Value, error) {
	values, err := parseAll(texts, parsePlace)
	if err != nil {
		return nil, err
	}
	for _, v := range values {
		if err := v.storable(); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// compileKeyParts returns where the parts of the object's key stand in the
// exchanges of a rule.
func compileKeyParts(d *syntax.Rule, of *Resource, path pattern, keys map[string][]Value) ([]KeyPart, error) {
	names := of.Show.Names
	parts := make([]KeyPart, len(names))
	for i, name := range names {
		parts[i].Placeholder = slices.Index(path.names, name)
		values, given := keys[name]
		if i == len(names)-1 && !given {
			values = of.ids
			given = of.idsGiven
		}
		if parts[i].Placeholder >= 0 {
			parts[i].Taken = takenOf(values, name)
			if i == len(names)-1 && path.endsWith(name) {
				parts[i].Answer = responseValues(of.ids)
			}
			continue
		}
		for _, v := range values {
			if v.Source == FromPath {
				if at := slices.Index(path.names, v.Name); at >= 0 {
					parts[i].Placeholder, parts[i].Taken = at, takenOf(values, v.Name)
				}
				continue
			}
			if v.InRequest() {
				parts[i].Request = append(parts[i].Request, v)
			} else {
				parts[i].Response = append(parts[i].Response, v)
			}
		}
		if parts[i].Placeholder >= 0 {
			continue
		}
		// The response to a create shows the last part of the key; the parts
		// before it say where the object lives, and the request must have them.
		creates := d.Kind == event.KindCreate && i == len(names)-1
		if !creates && !given {
			return nil, fmt.Errorf("the path lacks :%s, which is part of the object's key in show %s; put :%s where it stands, "+
				"or say where else it does, as `key :%s request:%s`", name, of.showText, name, name, name)
		}
		if len(parts[i].Request)+len(parts[i].Response) == 0 {
			return nil, fmt.Errorf("nothing tells :%s, which is part of the object's key in show %s", name, of.showText)
		}
	}
	return parts, checkPairs(names, parts)
}

// takenOf returns which of some values takes a part of a placeholder, zero for none.
func takenOf(values []Value, name string) Value {
	at := slices.IndexFunc(values, func(v Value) bool { return v.Source == FromPath && v.Name == name && v.Takes() })
	if at < 0 {
		return Value{}
	}
	return values[at]
}

// checkPairs refuses parts of a key that have several values each, of which nothing
// tells which belong together.
func checkPairs(names []string, parts []KeyPart) error {
	for i := range parts {
		for j := range i {
			ours, theirs := slices.Concat(parts[i].Request, parts[i].Response), slices.Concat(parts[j].Request, parts[j].Response)
			if len(ours) == 0 || len(theirs) == 0 || parts[i].Placeholder >= 0 || parts[j].Placeholder >= 0 {
				continue // the path tells one of them
			}
			if !slices.ContainsFunc(ours, func(v Value) bool { return slices.ContainsFunc(theirs, v.pairs) }) {
				return fmt.Errorf(":%s (%s) and :%s (%s) have several values each, and nothing tells which belong together; take them from one array, "+
					"as `key :%s request:list.#.%s` with `request:list.#.%s`", names[j], theirs[0], names[i], ours[0], names[j], names[j], names[i])
			}
		}
	}
	return nil
}

// isList reports whether the place holds several values by what it says.
func (v Value) isList() bool {
	return v.splits() || (v.Source == FromRequest || v.Source == FromResponse) && body.IsList(v.Name)
}

// pairs reports whether something tells which values at two places belong together: one
// of the places has one value, or they stand in one array.
func (v Value) pairs(other Value) bool {
	return !v.isList() || !other.isList() || other.Source == v.Source && body.HaveRows(v.Name, other.Name)
}

// NewKey returns the key of an object of the resource. It refuses parts of which the
// object's Show cannot be made without doubt about what it is the Show of.
func (r *Resource) NewKey(parts ...string) (event.Key, error) {
	key, err := event.NewKey(r.Name, parts...)
	if err != nil {
		return key, err
	}
	if err := r.Show.Check(parts); err != nil {
		return event.Key{}, err
	}
	return key, nil
}
