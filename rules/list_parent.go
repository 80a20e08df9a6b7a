// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// An API may list objects only by what they belong to: `GET /projects/:project/tasks`
// answers with the tasks of one project. Then its list is asked for once for each object
// that the list of the projects has, and the parts of the parent's key stand in the
// request.

// listPlaces returns the placeholders of the request of a list that stand for parts of a
// parent's key.
func (r *Resource) listPlaces(request Template) (places []string, _ error) {
	for _, name := range request.Names {
		switch {
		case name == nextName:
		case r.Parent != nil && slices.Contains(r.Show.Names, name):
			places = append(places, name)
		case slices.Contains(r.Show.Names, name):
			return nil, fmt.Errorf("it lists all objects, so nothing can stand for :%s; if it is to be asked for once for each object "+
				"that they belong to, say to which, as `parent projects :%s`", name, name)
		default:
			return nil, fmt.Errorf("it lists all objects, so nothing can stand for {%s}, but for {%s} what leads to a page", name, nextName)
		}
	}
	return places, nil
}

// linkLists finds the lists of the parents whose objects lists are asked for by.
func (s *Set) linkLists() error {
	for _, r := range s.Resources {
		if err := r.linkList(nil); err != nil {
			return PartError{r.Name, "list", fmt.Errorf("resource %s: list: %w", r.Name, err)}
		}
	}
	return nil
}

// linkList finds the list of a resource's parent, if its own needs that. Below are the
// resources whose lists need this one.
func (r *Resource) linkList(below []*Resource) error {
	l := r.List
	if l == nil || len(l.places) == 0 || l.Parent != nil {
		return nil
	}
	parent := r.Parent.Resource
	switch {
	case slices.Contains(below, r):
		return errors.New("it is asked for once for each of its own objects, so it never begins")
	case parent.List == nil:
		return fmt.Errorf("it is asked for once for each of %s, which nothing lists; give them a `list`, too", parent.Name)
	}
	for _, name := range l.places {
		at := slices.IndexFunc(r.Parent.values, func(v Value) bool { return v.Source == FromPath && v.Name == name })
		if at < 0 {
			return fmt.Errorf(":%s is no part of the key of %s, for each of which it is asked for once; "+
				"as they stand in `parent`, those are %v", name, parent.Name, r.Parent.values)
		}
		l.ofParent = append(l.ofParent, at)
	}
	for _, v := range r.Parent.values {
		if v.Source != FromPath || !slices.Contains(l.places, v.Name) {
			return fmt.Errorf("it is asked for once for each of %s, so each part of their key must stand in its request, and %s does not", parent.Name, v)
		}
	}
	if err := parent.linkList(append(below, r)); err != nil {
		return err
	}
	l.Parent = parent.List
	l.ID += "/" + l.Parent.ID
	return nil
}

// part returns what stands for a placeholder: a part of a parent's key.
func (l *List) part(name string, parent event.Key) string {
	parts := parent.Parts()
	if at := slices.Index(l.places, name); at >= 0 && l.ofParent[at] < len(parts) {
		return parts[l.ofParent[at]]
	}
	return ""
}
