// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Made is a type of event that the rules of a resource make.
type Made struct {
	Resource string
	Type     event.Template
	// Projection is what is taken out of the resource's payloads.
	Projection event.Projection
}

// ID names what is learned of it. No name of a resource has a space.
func (m Made) ID() string { return m.Resource + " " + m.Type.String() }

// Type is a type of event as subscribers know it, or a group of types.
type Type struct {
	// Name is the type, with the parts in braces that stand for a value of the Show, as
	// "items.state.{state}"; or a group, as "items.*".
	Name string
	// Alias and Description are "" if none is declared.
	Alias, Description string
	// Made are those that the rules make of it, at least one.
	Made []Made
	// Schema and Sample are declared, nil if they are not.
	Schema, Sample json.RawMessage
}

// Types are the types of events of a configuration.
type Types struct {
	made     []Made
	declared []Declared
	// all are the types that can be listed, by name.
	all []Type
}

// NewTypes returns the types that rules make, with what is declared of them. It fails with
// a declaration that holds for none.
func NewTypes(made []Made, declared []Declared) (*Types, error) {
	t := &Types{made: slices.Clone(made), declared: declared}
	slices.SortStableFunc(t.made, func(a, b Made) int { return strings.Compare(a.ID(), b.ID()) })
	names := make(map[string]bool)
	for _, m := range t.made {
		names[m.Type.String()] = true
	}
	for _, d := range declared {
		if !slices.ContainsFunc(t.made, func(m Made) bool { return m.Type.May(d.Pattern) }) {
			return nil, fmt.Errorf("type %s: no rule makes such an event; there are %s", d.Pattern, t.names())
		}
		names[d.Pattern] = true
	}
	for name := range names {
		t.all = append(t.all, t.describe(name))
	}
	slices.SortFunc(t.all, func(a, b Type) int { return strings.Compare(a.Name, b.Name) })
	return t, nil
}

// names lists the types that rules make.
func (t *Types) names() string {
	var names []string
	for _, m := range t.made {
		names = append(names, m.Type.String())
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

// Made returns what rules make.
func (t *Types) Made() []Made { return t.made }

// All returns all types and groups, by name.
func (t *Types) All() []Type { return t.all }

// Find returns the type of a name or an alias. A name may be one that a value of the Show
// completes.
func (t *Types) Find(name string) (Type, bool) {
	at, found := slices.BinarySearchFunc(t.all, name, func(of Type, name string) int { return strings.Compare(of.Name, name) })
	if found {
		return t.all[at], true
	}
	if at = slices.IndexFunc(t.all, func(of Type) bool { return of.Alias != "" && of.Alias == name }); at >= 0 {
		return t.all[at], true
	}
	if name == "" || strings.ContainsFunc(name, event.NotTypeRune) {
		return Type{}, false
	}
	completed := t.describe(name)
	return completed, len(completed.Made) > 0
}

// describe returns a type with what is declared of it.
func (t *Types) describe(name string) Type {
	of := Type{Name: name}
	for _, m := range t.made {
		if m.Type.String() == name || !strings.Contains(name, "{") && m.Type.May(name) {
			of.Made = append(of.Made, m)
		}
	}
	nearest := func(has func(Declared) bool) *Declared { return Nearest(t.declared, name, has) }
	if d := nearest(func(d Declared) bool { return d.Pattern == name }); d != nil {
		of.Alias = d.Alias
	}
	if d := nearest(func(d Declared) bool { return d.Description != "" }); d != nil {
		of.Description = d.Description
	}
	if d := nearest(func(d Declared) bool { return d.Schema != nil }); d != nil {
		of.Schema = d.Schema
	}
	if d := nearest(func(d Declared) bool { return d.Sample != nil }); d != nil && fits(of.Schema, d.Sample) {
		of.Sample = d.Sample
	}
	return of
}

// fits reports whether a sample fits a schema, which may be more exact than the one
// beside which it was declared.
func fits(schema, sample json.RawMessage) bool {
	if schema == nil {
		return true
	}
	compiled, err := Compile(schema)
	return err == nil && len(compiled.Check(sample)) == 0
}

// IsGroup reports whether it is a group of types.
func (t *Type) IsGroup() bool { return strings.HasSuffix(t.Name, "*") }

// Resources returns the names of the resources whose rules make it.
func (t *Type) Resources() []string {
	names := []string{}
	for _, m := range t.Made {
		names = append(names, m.Resource)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Pattern returns what an endpoint asks for to get all events of the type.
func (t *Type) Pattern() string {
	literal, _, open := strings.Cut(t.Name, "{")
	if !open {
		return t.Name
	}
	return literal[:strings.LastIndexByte(literal, '.')+1] + "*"
}

// Render returns the type that an event with a payload has: the name, with the payload's
// values in its braces. Of a group, it is that of the first type in it.
func (t *Type) Render(payload []byte) string {
	if !t.IsGroup() && !strings.Contains(t.Name, "{") {
		return t.Name
	}
	template := t.Made[0].Type
	if at := slices.IndexFunc(t.Made, func(m Made) bool { return m.Type.String() == t.Name }); at >= 0 {
		template = t.Made[at].Type
	}
	document, fields := event.NewDocument(payload), make(event.Fields)
	for _, path := range template.Paths() {
		fields[path] = document.Field(path)
	}
	return template.Render(fields)
}
