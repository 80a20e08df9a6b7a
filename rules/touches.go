// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/rules/effect"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// Touch says which objects of another resource an exchange changes, too.
type Touch struct {
	// Resource is the resource of those objects.
	Resource *Resource
	// Children means those that are known to belong to the rule's own object.
	Children bool
	// Places says where the parts of their keys stand in the exchange. There are none
	// if Children or Via is set.
	Places []Value
	// Via is the query whose answer names the objects, or nil.
	Via *Query

	declared *syntax.Touch
	word     *effect.Word // nil for nobody to be told
}

// compileTouches compiles the option `touches`.
func (r *Rule) compileTouches(d *syntax.Rule) error {
	for _, t := range d.Touches {
		made := Touch{declared: t, Children: t.Children}
		var err error
		switch {
		case t.Resource == "":
			return errors.New("touches takes a resource, as `touches transactions transaction.id`")
		case t.Children && (t.IDs != "" || t.Via != nil), !t.Children && (t.IDs == "") == (t.Via == nil):
			return fmt.Errorf("touches %s takes one of where the ids stand, `via` a request that lists them, and `children`", t.Resource)
		case t.Via != nil:
			made.Via, err = compileQuery(t.Via, r, t.Resource+"@", true)
		}
		if err != nil {
			return fmt.Errorf("touches %s: %w", t.Resource, err)
		}
		r.Touches = append(r.Touches, made)
	}
	return nil
}

// linkTouches finds the resources that rules touch.
func (s *Set) linkTouches() error {
	for _, r := range s.Resources {
		for _, rule := range r.Rules {
			for i := range rule.Touches {
				if err := s.linkTouch(rule, &rule.Touches[i]); err != nil {
					return PartError{r.Name, rule.declared, fmt.Errorf("resource %s: %s: %w", r.Name, rule.Name, err)}
				}
			}
		}
	}
	return nil
}

func (s *Set) linkTouch(r *Rule, t *Touch) error {
	wrong := func(err error) error { return fmt.Errorf("touches %s: %w", t.declared.Resource, err) }
	if t.Resource = s.byName[t.declared.Resource]; t.Resource == nil {
		return wrong(fmt.Errorf("there is no such resource; declare it, as `resource %s`", t.declared.Resource))
	}
	if t.Children {
		if parent := t.Resource.Parent; parent == nil || parent.name != r.Resource.Name {
			return wrong(fmt.Errorf("children are those whose resource says so; declare `parent %s` in it, "+
				"or write response:children for a field of the response", r.Resource.Name))
		}
		return nil
	}
	if t.Via != nil {
		if err := t.Via.link(t.Resource); err != nil {
			return wrong(err)
		}
		return nil
	}
	var err error
	t.Places, err = keyPlaces(t.Resource, t.declared.Keys, t.declared.IDs, func(name string) bool { return slices.Contains(r.pattern.names, name) })
	if err != nil {
		return wrong(err)
	}
	for _, v := range t.Places {
		if err := cmp.Or(r.pattern.has(v), v.storable()); err != nil {
			return wrong(err)
		}
	}
	if err := checkColumns(t.Resource, t.Places); err != nil {
		return wrong(err)
	}
	return nil
}
