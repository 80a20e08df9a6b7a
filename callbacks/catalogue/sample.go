// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Limits of a sample, so that a schema that refers to itself, or to itself in two places,
// makes no sample without end.
const (
	maxSampleDepth = 16
	maxSampleNodes = 1000
)

// Sample makes a value that fits a schema, the same for the same schema: of its required
// and other members, values that the schema names, or else what stands for a type. There is
// nothing in it that is not in the schema. It returns nil if it finds none that fits, as
// for a schema with a pattern.
func Sample(schema json.RawMessage) json.RawMessage {
	compiled, err := Compile(schema)
	if err != nil {
		return nil
	}
	var root any
	if json.Unmarshal(schema, &root) != nil {
		return nil
	}
	// Members that are not required may exclude each other.
	for _, requiredOnly := range []bool{false, true} {
		s := sampler{root: root, requiredOnly: requiredOnly}
		text, err := json.Marshal(s.value(root, 0))
		if err == nil && len(compiled.Check(text)) == 0 {
			return text
		}
	}
	return nil
}

// sampler makes a value of a schema.
type sampler struct {
	root         any
	requiredOnly bool
	nodes        int
}

func (s *sampler) value(of any, depth int) any {
	schema, isObject := of.(object)
	if s.nodes++; !isObject || depth > maxSampleDepth || s.nodes > maxSampleNodes {
		return nil
	}
	for _, word := range []string{"const", "default"} {
		if value, has := schema[word]; has {
			return value
		}
	}
	for _, word := range []string{"examples", "enum"} {
		if values, _ := schema[word].([]any); len(values) > 0 {
			return values[0]
		}
	}
	if target, found := s.refers(schema); found {
		return s.value(target, depth+1)
	}
	value := s.typed(schema, depth)
	return s.combined(schema, value, depth)
}

// refers returns the part of the schema that a $ref names.
func (s *sampler) refers(schema object) (any, bool) {
	text, _ := schema["$ref"].(string)
	pointer, isLocal := strings.CutPrefix(text, "#")
	if text == "" || !isLocal {
		return nil, false
	}
	at := s.root
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if token == "" {
			continue
		}
		within, _ := at.(object)
		at = within[strings.NewReplacer("~1", "/", "~0", "~").Replace(token)]
	}
	return at, at != nil
}

// combined adds the members that allOf and the first of oneOf and anyOf ask for.
func (s *sampler) combined(schema object, value any, depth int) any {
	var parts []any
	all, _ := schema["allOf"].([]any)
	parts = append(parts, all...)
	for _, word := range []string{"oneOf", "anyOf"} {
		if choices, _ := schema[word].([]any); len(choices) > 0 {
			parts = append(parts, choices[0])
		}
	}
	for _, part := range parts {
		within, _ := part.(object)
		if names, _ := within["required"].([]any); within != nil && within["properties"] == nil && len(names) > 0 {
			// The members themselves are described around it.
			value = s.members(object{"properties": schema["properties"], "required": names}, value, true, depth)
			continue
		}
		switch made := s.value(part, depth+1).(type) {
		case object:
			if have, isObject := value.(object); isObject {
				maps.Copy(have, made)
				continue
			}
			value = made
		case nil:
		default:
			value = made
		}
	}
	return value
}

// typed returns what stands for the first type of a schema that is not null.
func (s *sampler) typed(schema object, depth int) any {
	types, _ := schema["type"].([]any)
	if name, isText := schema["type"].(string); isText {
		types = []any{name}
	}
	if len(types) == 0 && schema["properties"] != nil {
		types = []any{"object"}
	}
	if len(types) > 1 {
		types = slices.DeleteFunc(slices.Clone(types), func(name any) bool { return name == "null" })
	}
	if len(types) == 0 {
		return nil
	}
	switch types[0] {
	case "object":
		return s.members(schema, nil, s.requiredOnly, depth)
	case "array":
		return s.elements(schema, depth)
	case "string":
		return text(schema)
	case "integer", "number":
		return number(schema)
	case "boolean":
		return true
	}
	return nil
}

// members makes an object, or adds to one.
func (s *sampler) members(schema object, to any, requiredOnly bool, depth int) any {
	made, isObject := to.(object)
	if !isObject {
		made = object{}
	}
	properties, _ := schema["properties"].(object)
	required, _ := schema["required"].([]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if !requiredOnly || slices.Contains(required, any(name)) {
			made[name] = s.value(properties[name], depth+1)
		}
	}
	for _, name := range required {
		if name, isText := name.(string); isText && properties[name] == nil {
			made[name] = nil
		}
	}
	return made
}

func (s *sampler) elements(schema object, depth int) any {
	least, _ := schema["minItems"].(float64)
	if schema["items"] == nil || schema["items"] == false || schema["maxItems"] == 0.0 {
		return []any{}
	}
	made := []any{}
	for range max(1, min(int(least), 16)) {
		made = append(made, s.value(schema["items"], depth+1))
	}
	return made
}

// formats are values of the formats that are common.
var formats = map[string]string{
	"date-time": "2026-01-31T12:00:00Z", "date": "2026-01-31", "time": "12:00:00Z", "duration": "PT1H", "email": "someone@example.com",
	"uri": "https://example.com/", "uri-reference": "/", "uuid": "01234567-89ab-4def-8123-456789abcdef", "hostname": "example.com",
	"ipv4": "192.0.2.1", "ipv6": "2001:db8::1",
}

func text(schema object) any {
	format, _ := schema["format"].(string)
	value := formats[format]
	if value == "" {
		value = "text"
	}
	if least, _ := schema["minLength"].(float64); float64(len(value)) < least && least <= MaxEncoded {
		value += strings.Repeat("x", int(least)-len(value))
	}
	if most, has := schema["maxLength"].(float64); has && float64(len(value)) > most && most >= 0 {
		value = value[:int(most)]
	}
	return value
}

func number(schema object) any {
	value := 1.0
	if least, has := schema["minimum"].(float64); has {
		value = max(value, least)
	}
	if least, has := schema["exclusiveMinimum"].(float64); has && value <= least {
		value = least + 1
	}
	if step, has := schema["multipleOf"].(float64); has {
		value = step
	}
	if most, has := schema["maximum"].(float64); has {
		value = min(value, most)
	}
	if most, has := schema["exclusiveMaximum"].(float64); has && value >= most {
		value = most - 1
	}
	return value
}
