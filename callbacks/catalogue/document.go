// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"encoding/json"
	"maps"
	"slices"
)

// Dialect is the JSON Schema that schemas are written in.
const Dialect = "https://json-schema.org/draft/2020-12/schema"

var typeNames = []struct {
	kind kinds
	name string
}{
	{isArray, "array"}, {isBoolean, "boolean"}, {isInteger, "integer"}, {isNull, "null"}, {isNumber, "number"}, {isObject, "object"}, {isString, "string"},
}

// Strict returns the schema as JSON Schema 2020-12, as strict as what was seen allows: a
// member that was never seen is refused. It is for checking what somebody writes.
func (s Schema) Strict() json.RawMessage { return s.json(true) }

// Open returns the schema as JSON Schema 2020-12 for those who receive: members that were
// never seen are allowed, since APIs add some without a warning.
func (s Schema) Open() json.RawMessage { return s.json(false) }

func (s Schema) json(strict bool) json.RawMessage {
	if s.root == nil {
		return json.RawMessage("{}") // nothing is known, so nothing is refused
	}
	text, err := json.Marshal(s.root.document(strict))
	if err != nil {
		panic(err) // maps, lists, texts and numbers alone
	}
	return text
}

// document returns what JSON Schema says of a node.
func (n *node) document(strict bool) map[string]any {
	document := make(map[string]any)
	var types []string
	for _, t := range typeNames {
		if n.kinds&t.kind != 0 {
			types = append(types, t.name)
		}
	}
	document["type"] = types
	if len(types) == 1 {
		document["type"] = types[0]
	}
	if n.kinds&isCut != 0 {
		return document
	}
	if n.kinds&isObject != 0 {
		n.describeMembers(document, strict)
	}
	switch {
	case n.kinds&isArray == 0:
	case n.elements != nil:
		document["items"] = n.elements.document(strict)
	case strict:
		document["maxItems"] = 0
	}
	return document
}

func (n *node) describeMembers(document map[string]any, strict bool) {
	properties, required := make(map[string]any, len(n.members)), []string{}
	for _, name := range slices.Sorted(maps.Keys(n.members)) {
		m := n.members[name]
		properties[name] = m.node.document(strict)
		if m.required {
			required = append(required, name)
		}
	}
	document["properties"] = properties
	if len(required) > 0 {
		document["required"] = required
	}
	if strict {
		document["additionalProperties"] = false
	}
}
