// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"

	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// Touch says which objects of another resource an exchange changes, too.
type Touch struct {
	// Resource is the resource of those objects.
	Resource *Resource
	// IDs says where their ids stand in the exchange. It is zero if Via is set.
	IDs Value
	// Via is the query whose answer names the objects, or nil.
	Via *Query

	name string // of Resource, which is set once all resources are compiled
}

// compileTouches compiles the option `touches`.
func (r *Rule) compileTouches(d *syntax.Rule) error {
	for _, t := range d.Touches {
		made := Touch{name: t.Resource}
		var err error
		switch {
		case t.Resource == "":
			return errors.New("touches takes a resource, as `touches transactions transaction.id`")
		case (t.IDs == "") == (t.Via == nil):
			return fmt.Errorf("touches %s takes either where the ids stand or `via` a request that lists them", t.Resource)
		case t.Via == nil:
			if made.IDs, err = parseValue(t.IDs); err == nil {
				err = r.pattern.has(made.IDs)
			}
		default:
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
				if err := s.linkTouch(&rule.Touches[i]); err != nil {
					return PartError{r.Name, rule.declared, fmt.Errorf("resource %s: %s: %w", r.Name, rule.Name, err)}
				}
			}
		}
	}
	return nil
}

func (s *Set) linkTouch(t *Touch) error {
	if t.Resource = s.byName[t.name]; t.Resource == nil {
		return fmt.Errorf("touches %s: there is no such resource; declare it, as `resource %s`", t.name, t.name)
	}
	if names := t.Resource.Show.Names; len(names) != 1 {
		return fmt.Errorf("touches %s: its key has %d parts (%s), and one place tells only one", t.name, len(names), t.Resource.showText)
	}
	if t.Via != nil {
		t.Via.Resource = t.Resource
	}
	return nil
}
