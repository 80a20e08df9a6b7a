// SPDX-License-Identifier: Apache-2.0

package shape

import (
	"bytes"
	"encoding/json"
)

// Out translates a thing of ours, whose numbers are [json.Number], into their names. What
// has none is left out.
func (s *Shape) Out(ours map[string]any) any {
	return s.wrap(s.object(&s.root, ours))
}

// OutList translates many.
func (s *Shape) OutList(list []any) any {
	made := make([]any, 0, len(list))
	for _, item := range list {
		if ours, isObject := item.(map[string]any); isObject {
			made = append(made, s.object(&s.root, ours))
		}
	}
	return s.wrap(made)
}

func (s *Shape) wrap(value any) any {
	if s.in == "" {
		return value
	}
	return object{{s.in, value}}
}

func (s *Shape) object(n *node, ours map[string]any) object {
	made := object{}
	for _, name := range n.names {
		if below := n.objects[name]; below != nil {
			if inner := s.object(below, ours); len(inner) > 0 {
				made = append(made, named{name, inner})
			}
			continue
		}
		if value, there := s.value(n.fields[name], ours); there {
			made = append(made, named{name, value})
		}
	}
	return made
}

// value returns the value of a field, false if there is none.
func (s *Shape) value(f *field, ours map[string]any) (any, bool) {
	if f.view {
		return s.viewOut(f, ours)
	}
	var value any = ours
	for _, name := range f.path {
		object, _ := value.(map[string]any)
		var there bool
		if value, there = object[name]; !there {
			return nil, false
		}
	}
	switch list, isList := value.([]any); {
	case s.thing == Endpoint && f.ours() == "events" && isList:
		made := make([]any, len(list))
		for i := range list {
			made[i] = s.named(list[i])
		}
		return made, true
	case s.thing != Endpoint && f.ours() == "type":
		return s.named(value), true
	}
	return value, true
}

// named returns what they call a type.
func (s *Shape) named(value any) any {
	if pattern, isText := value.(string); isText {
		return s.types.Name(pattern)
	}
	return value
}

// object is a JSON object whose members keep their order.
type object []named

type named struct {
	name  string
	value any
}

// MarshalJSON implements [json.Marshaler].
func (o object) MarshalJSON() ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	text.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			text.WriteByte(',')
		}
		if err := encoder.Encode(m.name); err != nil {
			return nil, err
		}
		text.WriteByte(':')
		if err := encoder.Encode(m.value); err != nil {
			return nil, err
		}
	}
	text.WriteByte('}')
	return text.Bytes(), nil
}
