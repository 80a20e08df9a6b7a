// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"

	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// DeclareIgnored sets which requests change nothing. They go before conventional rules,
// and where a declared rule is about the same requests, they are refused: one of the two
// is a mistake.
func (s *Set) DeclareIgnored(declared []*syntax.Ignored) error {
	for _, d := range declared {
		wrong := func(err error) error { return PartError{"", d, fmt.Errorf("ignore %s: %w", d, err)} }
		if err := checkMethods(d.Methods); err != nil {
			return wrong(err)
		}
		if err := checkPath(d.Path); err != nil {
			return wrong(err)
		}
		path, err := parsePattern(d.Path)
		if err != nil {
			return wrong(err)
		}
		for _, of := range s.Resources {
			if rule := of.declaresSame(d.Methods, &path); rule != nil {
				return wrong(fmt.Errorf("resource %s has %s %s about the same requests; take one of the two out", of.Name, rule.Kind, rule.Name))
			}
		}
		rule := &Rule{Name: d.String(), methods: d.Methods, pattern: path, Resource: new(Resource)}
		if err := s.ignored.add(rule); err != nil {
			return wrong(err)
		}
	}
	for _, of := range s.Resources {
		of.ignored = &s.ignored
	}
	return nil
}

// declaresSame returns the declared rule of a resource that has a path and one of some
// methods, nil if there is none.
func (r *Resource) declaresSame(methods []string, path *pattern) *Rule {
	for _, rule := range r.Rules {
		if !rule.conventional && rule.pattern.text == path.text && overlap(rule.methods, methods) {
			return rule
		}
	}
	return nil
}

// Ignores reports whether a request that no rule is about changes nothing, as `ignore`
// says.
func (s *Set) Ignores(request *Request) bool {
	return s.ignored.ignores(request.Method, usualPath(request.HTTP.URL.EscapedPath()))
}

// Covers reports whether a rule is about requests of a kind, whatever else it demands, or
// `ignore` is. A template is a path with ":id" for what differs.
func (s *Set) Covers(method, template string) bool {
	var found Match
	return s.rules.root.loose(method, template, template, &found) || s.ignored.ignores(method, template)
}

// ignores reports whether a tree has a rule about a method and a path.
func (t *tree) ignores(method, path string) bool {
	if t == nil {
		return false
	}
	var found Match
	return t.root.loose(method, path, path, &found)
}
