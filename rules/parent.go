// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// Parent says which object of another resource an object belongs to.
type Parent struct {
	// Resource is the parent's resource.
	Resource *Resource
	// Paths are the paths of the object's Show that tell which it is.
	Paths []string

	name   string // of Resource, which is set once all resources are compiled
	values []Value
}

// compileParent compiles the option `parent`.
func (r *Resource) compileParent(d syntax.Resource) error {
	if d.Parent == nil {
		return nil
	}
	made := &Parent{name: d.Parent.Resource}
	if d.Parent.Resource == "" || len(d.Parent.Key) == 0 {
		return errors.New("it takes a resource and where the parent's id stands in Show, as `parent articles article_id`")
	}
	var err error
	if made.values, err = ParseValues(d.Parent.Key); err != nil {
		return err
	}
	for _, v := range made.values {
		switch {
		case v.Source == FromPath && !slices.Contains(r.Show.Names, v.Name):
			return fmt.Errorf("%s is no part of the key in show %s", v, r.showText)
		case v.Source == FromPath:
		case v.Source != FromResponse:
			return fmt.Errorf("%s stands in no Show; write a path of Show, or a part of the object's key, as :id", v)
		case !r.Projection.IsZero() && r.Projection.Covers(v.Name):
			return fmt.Errorf("%s is hidden, and this would store it", v)
		case r.VolatileID != "" && r.Volatile.Covers(v.Name):
			return fmt.Errorf("%s is volatile, so its changes are not seen", v)
		default:
			made.Paths = append(made.Paths, v.Name)
		}
	}
	r.Parent = made
	return nil
}

// linkParents finds the resources of parents.
func (s *Set) linkParents() error {
	for _, r := range s.Resources {
		p := r.Parent
		if p == nil {
			continue
		}
		var err error
		switch p.Resource = s.byName[p.name]; {
		case p.Resource == nil:
			err = fmt.Errorf("there is no such resource; declare it, as `resource %s`", p.name)
		case len(p.Resource.Show.Names) != len(p.values):
			err = fmt.Errorf("its key has %d parts (%s), and %d are given", len(p.Resource.Show.Names), p.Resource.showText, len(p.values))
		}
		if err != nil {
			return PartError{r.Name, "parent", fmt.Errorf("resource %s: parent %s: %w", r.Name, p.name, err)}
		}
	}
	return nil
}

// ParentOf returns the key of the parent of an object, from the object's key and the
// fields of its Show at [Parent.Paths]. It reports false if it has none.
func (r *Resource) ParentOf(key event.Key, fields event.Fields) (event.Key, bool) {
	if r.Parent == nil {
		return event.Key{}, false
	}
	own := key.Parts()
	parts := make([]string, 0, len(r.Parent.values))
	for _, v := range r.Parent.values {
		text := ""
		if v.Source == FromPath {
			if at := slices.Index(r.Show.Names, v.Name); at < len(own) {
				text = own[at]
			}
		} else if raw := fields[v.Name]; !event.IsMask(raw) {
			text = event.Text(raw)
		}
		if text == "" || text == "null" {
			return event.Key{}, false
		}
		parts = append(parts, text)
	}
	parent, err := r.Parent.Resource.NewKey(parts...)
	return parent, err == nil
}
