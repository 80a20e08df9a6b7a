// SPDX-License-Identifier: Apache-2.0

package shape

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Problem is what is wrong with a member of a body, by its pointer in their names.
type Problem struct{ Pointer, Detail, Remedy string }

// Given is a body in our names, and where its members stood in theirs.
type Given struct {
	Members  map[string]any
	Problems []Problem
	// sent are the fields that the body has, and below is the pointer of the object
	// that has them.
	sent  []*field
	below string
	shape *Shape
}

// In translates a body, whose numbers are [json.Number], into our names.
func (s *Shape) In(body map[string]any) *Given {
	g := &Given{Members: make(map[string]any), shape: s}
	if inner, wrapped := body[s.in].(map[string]any); wrapped && s.in != "" && len(body) == 1 {
		body, g.below = inner, "/"+escape(s.in)
	}
	g.take(&s.root, g.below, body)
	return g
}

// Translates reports whether the body was in their names.
func (g *Given) Translates() bool { return g.shape != nil }

func (g *Given) wrong(pointer, remedy, detail string) {
	g.Problems = append(g.Problems, Problem{pointer, detail, remedy})
}

// take takes the members of an object of theirs. One that has no name in the shape is
// refused: whoever sent it believes that it means something.
func (g *Given) take(n *node, pointer string, object map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		at, value := pointer+"/"+escape(name), object[name]
		switch f, below := n.fields[name], n.objects[name]; {
		case f != nil && !f.given:
			g.wrong(at, "leave it out", "it is not yours to set")
		case f != nil:
			g.set(f, at, value)
		case below != nil:
			inner, isObject := value.(map[string]any)
			if !isObject {
				g.wrong(at, "send an object", "it is no object")
				continue
			}
			g.take(below, at, inner)
		default:
			g.wrong(at, "leave it out; there are "+strings.Join(n.names, ", "), "there is no such member")
		}
	}
}

// set sets a member of ours.
func (g *Given) set(f *field, pointer string, value any) {
	path := f.path
	switch {
	case f.view:
		var fits bool
		if path, value, fits = g.shape.viewIn(f, value); !fits {
			g.wrong(pointer, g.shape.remedy(f), "it is not possible here")
			return
		}
	case f.ours() == "events":
		value = g.shape.patterns(value)
	}
	to := g.Members
	for _, name := range path[:len(path)-1] {
		below, isObject := to[name].(map[string]any)
		if !isObject && to[name] != nil {
			g.wrong(pointer, "send one of them", "it says the same as another member")
			return
		}
		if below == nil {
			below = make(map[string]any)
			to[name] = below
		}
		to = below
	}
	last := path[len(path)-1]
	if _, twice := to[last]; twice {
		g.wrong(pointer, "send one of them", "it says the same as another member")
		return
	}
	to[last] = value
	g.sent = append(g.sent, f)
}

// Pointer translates a pointer in our names into theirs. What has no name is the whole.
func (g *Given) Pointer(ours string) string {
	if !strings.HasPrefix(ours, "/") {
		return ours // a parameter, or the whole
	}
	parts := strings.Split(ours[1:], "/")
	candidates := slices.Clone(g.sent)
	for i := range g.shape.fields {
		candidates = append(candidates, &g.shape.fields[i])
	}
	for _, f := range candidates {
		if rest, stands := f.stands(parts); stands {
			return g.below + pointer(f.name) + rest
		}
	}
	for _, f := range candidates {
		if above := f.shows(); len(parts) < len(above) && slices.Equal(parts, above[:len(parts)]) {
			return g.below + pointer(f.name)
		}
	}
	return g.below
}

// stands reports whether a field is, or holds, what stands at a pointer of ours, and
// returns what follows.
func (f *field) stands(parts []string) (rest string, stands bool) {
	path := f.shows()
	if len(parts) < len(path) {
		return "", false
	}
	for i, name := range path {
		if parts[i] != escape(name) {
			return "", false
		}
	}
	if f.view {
		return "", true
	}
	for _, part := range parts[len(path):] {
		rest += "/" + part
	}
	return rest, true
}

// pointer returns the JSON Pointer of members in each other.
func pointer(names []string) string {
	text := ""
	for _, name := range names {
		text += "/" + escape(name)
	}
	return text
}

// escape writes a member's name for a JSON Pointer. A long one is cut: it comes back in
// an answer.
func escape(name string) string {
	const most = 64
	if len(name) > most {
		name = strings.ToValidUTF8(name[:most], "") + "…"
	}
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// remedy says what a view takes.
func (s *Shape) remedy(f *field) string {
	if f.kind == flag {
		return "send true or false"
	}
	if known := s.types.Names(); len(known) > 0 {
		return fmt.Sprintf("send one of %s", strings.Join(known, ", "))
	}
	return "send a type of event"
}
