// SPDX-License-Identifier: Apache-2.0

package shape

import (
	"fmt"
	"slices"
	"strings"
)

// Field is a member of a body.
type Field struct {
	// Name is what they call it: a member, or members in each other, as callback.url.
	Name string
	// Path is what we call it, "" for the same.
	Path string
}

// Shape is what the members of a thing are called. Use [New].
type Shape struct {
	thing string
	in    string
	types Types
	// fields are in the order in which they are written.
	fields []field
	root   node
}

// field is a [Field] as it is looked up.
type field struct {
	member
	// name and path are the members, one in the other.
	name, path []string
}

func (f *field) ours() string   { return strings.Join(f.path, ".") }
func (f *field) theirs() string { return strings.Join(f.name, ".") }

// node is an object of theirs: its members are fields or objects.
type node struct {
	names   []string // in the order of the shape
	fields  map[string]*field
	objects map[string]*node
}

// New returns a shape. With in, one thing or a list of them stands in a member of that
// name.
func New(thing, in string, list []Field, types Types) (*Shape, error) {
	s := &Shape{thing: thing, in: in, types: types, fields: make([]field, len(list))}
	if members[thing] == nil {
		return nil, fmt.Errorf("shape %s: there is no such thing; there are %s, %s and %s", thing, Endpoint, Delivery, Event)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("shape %s: say the names of its members, as `shape %s id callbackUrl=url`", thing, thing)
	}
	if in != "" && !isPath(in) || strings.Contains(in, ".") {
		return nil, fmt.Errorf("shape %s in %s: write the name of one member", thing, in)
	}
	for i, f := range list {
		if f.Path == "" {
			f.Path = f.Name
		}
		m, known := find(thing, f.Path)
		switch {
		case !isPath(f.Name):
			return nil, fmt.Errorf("shape %s: %q is no name of a member", thing, f.Name)
		case !known:
			return nil, fmt.Errorf("shape %s: %s has no %s; there are %s", thing, thing, f.Path, strings.Join(names(thing), ", "))
		case slices.ContainsFunc(s.fields[:i], func(other field) bool { return other.ours() == f.Path }):
			return nil, fmt.Errorf("shape %s: %s stands twice; keep one of them", thing, f.Path)
		case f.Name == in:
			return nil, fmt.Errorf("shape %s in %s: a member has the same name; choose another", thing, in)
		}
		s.fields[i] = field{m, strings.Split(f.Name, "."), strings.Split(f.Path, ".")}
		if !s.root.add(&s.fields[i], s.fields[i].name) {
			return nil, fmt.Errorf("shape %s: %s stands in, or around, another member; choose another name", thing, f.Name)
		}
	}
	return s, nil
}

// Own returns the shape in which everything that a form can say is called as by us.
func Own(thing string, types Types) *Shape {
	var list []Field
	for _, name := range names(thing) {
		if m := members[thing][name]; m.given && m.kind != whole {
			list = append(list, Field{Name: name})
		}
	}
	s, err := New(thing, "", list, types)
	if err != nil {
		panic(err) // the table of members is wrong
	}
	return s
}

// isPath reports whether a text is names that are joined by dots.
func isPath(text string) bool {
	return len(text) <= 128 && !slices.Contains(strings.Split(text, "."), "") && !strings.ContainsAny(text, "\"\\/~\x00 ")
}

// add adds a field below names, false if one of them is taken.
func (n *node) add(f *field, names []string) bool {
	if n.fields == nil {
		n.fields, n.objects = make(map[string]*field), make(map[string]*node)
	}
	first := names[0]
	if n.fields[first] != nil {
		return false
	}
	below := n.objects[first]
	if len(names) > 1 {
		if below == nil {
			below = new(node)
			n.objects[first], n.names = below, append(n.names, first)
		}
		return below.add(f, names[1:])
	}
	if below != nil {
		return false
	}
	n.fields[first], n.names = f, append(n.names, first)
	return true
}

// Has reports whether a member of ours has a name.
func (s *Shape) Has(path string) bool {
	return slices.ContainsFunc(s.fields, func(f field) bool { return f.ours() == path })
}

// Sets reports whether a request can set a member of ours, by its name or another view.
func (s *Shape) Sets(name string) bool {
	return slices.ContainsFunc(s.fields, func(f field) bool { return f.given && f.shows()[0] == name })
}
