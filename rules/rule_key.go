// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"maps"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// forRule returns the resource and its values of `key` as the parts of a rule's key are
// compiled from them: with the rule's own `id` and `key` in place of the resource's.
func (r *Resource) forRule(d *syntax.Rule, path pattern, keys map[string][]Value) (*Resource, map[string][]Value, error) {
	if len(d.ID) == 0 && len(d.Keys) == 0 {
		return r, keys, nil
	}
	id := r.Show.Names[len(r.Show.Names)-1]
	own := *r
	keys = maps.Clone(keys)
	if keys == nil {
		keys = make(map[string][]Value)
	}
	var err error
	if len(d.ID) > 0 {
		if slices.Contains(path.names, id) {
			return nil, nil, fmt.Errorf("id: the path %s says where :%s stands; leave one of them out", path.text, id)
		}
		delete(keys, id)
		own.idsGiven = true
		if own.ids, err = storableValues(d.ID); err != nil {
			return nil, nil, fmt.Errorf("id: %w", err)
		}
		if err := path.hasAll(own.ids); err != nil {
			return nil, nil, fmt.Errorf("id: %w", err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Keys)) {
		switch {
		case !slices.Contains(r.Show.Names, name):
			return nil, nil, fmt.Errorf("key :%s: show %s has no such name", name, r.showText)
		case slices.Contains(path.names, name):
			return nil, nil, fmt.Errorf("key :%s: the path %s says where it stands; leave one of them out", name, path.text)
		case name == id && len(d.ID) > 0:
			return nil, nil, fmt.Errorf("key :%s: `id` says this already; keep one of them", name)
		}
		if keys[name], err = storableValues(d.Keys[name]); err != nil {
			return nil, nil, fmt.Errorf("key :%s: %w", name, err)
		}
		if err := path.hasAll(keys[name]); err != nil {
			return nil, nil, fmt.Errorf("key :%s: %w", name, err)
		}
	}
	return &own, keys, nil
}

// hasAll refuses values of the path that the path does not have.
func (p *pattern) hasAll(values []Value) error {
	for _, v := range values {
		if err := p.has(v); err != nil {
			return err
		}
	}
	return nil
}

// ProvesDelete reports whether the rule says which answers mean that an object was
// deleted, and so that there was one. If requests may name it by an alias, that is no
// proof of an object of the name in the request.
func (r *Rule) ProvesDelete() bool {
	return r.Kind == event.KindDelete && (r.success != nil || r.Makes != nil) && !r.Resource.Aliases
}
