// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"fmt"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// resource is a compiled [Resource].
type resource struct {
	name     string
	method   string // of Show
	show     pattern
	ids      []string
	version  string
	triggers []event.Trigger
}

// compileResources checks resources and builds the matcher for their rules.
func compileResources(declared []*Resource) ([]*resource, *matcher, error) {
	m := new(matcher)
	seen := make(map[string]bool, len(declared))
	resources := make([]*resource, 0, len(declared))
	for _, d := range declared {
		full := d.withDefaults()
		if err := full.validate(); err != nil {
			return nil, nil, err
		}
		if seen[full.Name] {
			return nil, nil, fmt.Errorf("resource %s is declared twice; merge the two", full.Name)
		}
		seen[full.Name] = true
		r, err := full.compile(m)
		if err != nil {
			return nil, nil, err
		}
		resources = append(resources, r)
	}
	return resources, m, nil
}

func (r Resource) compile(m *matcher) (*resource, error) {
	show, err := parsePattern(r.Show.Path)
	if err != nil {
		return nil, err
	}
	triggers, err := r.triggers()
	if err != nil {
		return nil, err
	}
	compiled := &resource{
		name: r.Name, method: r.Show.Method, show: show, ids: r.ID, version: r.Version, triggers: triggers,
	}
	for _, declared := range r.Rules {
		path, err := parsePattern(declared.Path)
		if err != nil {
			return nil, err
		}
		added := &rule{
			kind: declared.Kind, resource: compiled, pattern: path, methods: declared.Methods, text: declared.String(),
		}
		added.place()
		if err := m.add(added); err != nil {
			return nil, partError{declared, err}
		}
	}
	return compiled, nil
}
