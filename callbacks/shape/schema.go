// SPDX-License-Identifier: Apache-2.0

package shape

import (
	"net/url"
	"slices"
	"strings"
)

// Schemas translate JSON Schemas of ours, of things that are objects, into their names.
// Resolve returns what a reference refers to.
type Schemas struct {
	Resolve func(ref string) map[string]any
}

type schema = map[string]any

// aName is the schema of the name of a type: an alias that is a number is one.
func aName() schema { return schema{"type": []any{"string", "integer"}} }

// Answer returns the schema of a thing in answers.
func (t Schemas) Answer(s *Shape, ours map[string]any) map[string]any {
	return s.wrapped(t.answer(s, &s.root, ours))
}

// Answers returns that of a list of things.
func (t Schemas) Answers(s *Shape, ours map[string]any) map[string]any {
	return s.wrapped(schema{"type": "array", "items": t.answer(s, &s.root, ours)})
}

// wrapped returns the schema of what stands in the shape's member, if it has one.
func (s *Shape) wrapped(of schema) schema {
	if s.in == "" {
		return of
	}
	return schema{"type": "object", "required": []any{s.in}, "properties": schema{s.in: of}}
}

func (t Schemas) answer(s *Shape, n *node, ours schema) schema {
	properties, required := make(schema), []any{}
	for _, name := range n.names {
		if below := n.objects[name]; below != nil {
			if inner := t.answer(s, below, ours); len(inner["properties"].(schema)) > 0 {
				properties[name] = inner
			}
			continue
		}
		f := n.fields[name]
		told := t.told(s, f, ours)
		if told == nil {
			continue
		}
		properties[name] = told
		if needed, _ := ours["required"].([]any); !f.view && len(f.path) == 1 && slices.Contains(needed, any(f.path[0])) && n == &s.root {
			required = append(required, name)
		}
	}
	made := schema{"type": "object", "properties": properties}
	if len(required) > 0 {
		made["required"] = required
	}
	return made
}

// told returns the schema of a field in answers, nil if it is in none of these.
func (t Schemas) told(s *Shape, f *field, ours schema) any {
	there := t.member(ours, f.shows())
	switch {
	case there == nil:
		return nil
	case f.view:
		return viewSchema(f)
	case f.ours() == "events" && s.thing == Endpoint:
		return schema{"type": "array", "items": aName()}
	case f.ours() == "type" && s.thing != Endpoint:
		return aName()
	}
	return there
}

func viewSchema(f *field) schema {
	switch f.ours() {
	case "enabled":
		return schema{"type": "boolean"}
	case "type":
		return aName()
	case "last.number", "last.status", "last.ms":
		return schema{"type": "integer"}
	case "last.at":
		return schema{"type": "string", "format": "date-time"}
	}
	return schema{"type": "string"}
}

// Request returns the schema of a thing that requests send, in JSON.
func (t Schemas) Request(s *Shape, ours map[string]any) map[string]any {
	bare := t.request(s, &s.root, ours)
	if s.in == "" {
		return bare
	}
	in := s.wrapped(bare)
	in["additionalProperties"] = false
	return schema{"anyOf": []any{bare, in}}
}

func (t Schemas) request(s *Shape, n *node, ours schema) schema {
	properties := make(schema)
	for _, name := range n.names {
		if below := n.objects[name]; below != nil {
			if inner := t.request(s, below, ours); len(inner["properties"].(schema)) > 0 {
				properties[name] = inner
			}
			continue
		}
		switch f := n.fields[name]; {
		case !f.given:
		case f.view:
			properties[name] = viewSchema(f)
		case f.ours() == "events":
			properties[name] = schema{"type": []any{"array", "null"}, "items": aName()}
		default:
			properties[name] = orAny(t.member(ours, f.path))
		}
	}
	return schema{"type": "object", "additionalProperties": false, "properties": properties}
}

// FormSchema returns the schema of a thing that requests send as a form.
func (s *Shape) FormSchema() map[string]any {
	properties := make(schema)
	for i := range s.fields {
		f := &s.fields[i]
		switch {
		case !f.given || f.kind == whole:
		case f.kind == texts:
			properties[f.theirs()] = schema{"type": "array", "items": schema{"type": "string"}}
		default:
			properties[f.theirs()] = schema{"type": "string"}
		}
	}
	return schema{"type": "object", "additionalProperties": false, "properties": properties}
}

func orAny(value any) any {
	if value == nil {
		return schema{}
	}
	return value
}

// member returns the schema at a path of ours, nil if there is none.
func (t Schemas) member(of schema, path []string) any {
	var at any = of
	for _, name := range path {
		if at = t.property(at, name); at == nil {
			return nil
		}
	}
	return at
}

// property returns the schema of a member, in whatever way the schema of the object says it.
func (t Schemas) property(of any, name string) any {
	object, _ := of.(schema)
	if ref, refers := object["$ref"].(string); refers {
		return t.property(t.Resolve(ref), name)
	}
	if properties, _ := object["properties"].(schema); properties[name] != nil {
		return properties[name]
	}
	either, _ := object["anyOf"].([]any)
	for _, one := range either {
		if found := t.property(one, name); found != nil {
			return found
		}
	}
	if more, isSchema := object["additionalProperties"].(schema); isSchema {
		return more
	}
	return nil
}

// Template returns the path as OpenAPI writes it.
func (p Path) Template() string {
	parts := make([]string, len(p.segments))
	for i, s := range p.segments {
		if parts[i] = url.PathEscape(s.text); s.named {
			parts[i] = "{" + s.text + "}"
		}
	}
	return "/" + strings.Join(parts, "/")
}
