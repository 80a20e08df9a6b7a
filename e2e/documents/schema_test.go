// SPDX-License-Identifier: Apache-2.0

// Package documents checks what the catalogue writes with the implementations of others:
// JSON Schema and OpenAPI.
package documents

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/catalogue"
	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// failer is a testing.T or a rapid.T.
type failer interface {
	Helper()
	Fatal(args ...any)
}

func learn(t failer, shows ...string) (s catalogue.Schema) {
	t.Helper()
	for _, show := range shows {
		one, err := catalogue.Infer([]byte(show), event.Projection{})
		if err != nil {
			t.Fatal(err)
		}
		s = s.Merge(one)
	}
	return s
}

// compile reads a schema, as another implementation does.
func compile(t failer, schema json.RawMessage) *jsonschema.Schema {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(string(schema)))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("schema.json", parsed); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// validates reports whether a document fits a schema.
func validates(t failer, schema *jsonschema.Schema, document string) bool {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value) == nil
}

func drawShow(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		kind := rapid.IntRange(0, 5).Draw(t, "kind")
		switch {
		case depth == 0 || kind < 2:
			return rapid.SampledFrom([]string{"null", "1", "-0", "1.0", "1e3", "12345678901234567890", `"x"`, `""`, "true", "{}", "[]"}).Draw(t, "leaf")
		case kind == 2:
			return "[" + strings.Join(rapid.SliceOfN(drawShow(depth-1), 0, 3).Draw(t, "elements"), ",") + "]"
		case kind == 3:
			var members []string
			value := drawShow(depth-1).Draw(t, "value")
			count := rapid.SampledFrom([]int{3, 300}).Draw(t, "count")
			if len(value) > 1000 {
				count = 1 // dictionaries of dictionaries grow without end
			}
			for n := range count {
				members = append(members, fmt.Sprintf(`"name-%d":%s`, n, value))
			}
			return "{" + strings.Join(members, ",") + "}"
		default:
			var members []string
			for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "$ref", "type"}), 0, 4, rapid.ID).Draw(t, "names") {
				members = append(members, fmt.Sprintf("%q:%s", name, drawShow(depth-1).Draw(t, "member")))
			}
			return "{" + strings.Join(members, ",") + "}"
		}
	})
}

// Whatever was seen fits, also after it was kept.
func TestSeenValidates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shows := rapid.SliceOfN(drawShow(4), 1, 4).Draw(t, "shows")
		s, err := catalogue.Decode(learn(t, shows...).Encode(event.Projection{}), event.Projection{})
		if err != nil {
			t.Fatal(err)
		}
		strict, open := compile(t, s.Strict()), compile(t, s.Open())
		for _, show := range shows {
			if !validates(t, strict, show) || !validates(t, open, show) {
				t.Fatalf("%s does not fit %s", show, s.Strict())
			}
		}
	})
}

// Of one Show, whatever is taken away, added or of another type is refused.
func TestNothingElseValidates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var show any
		if err := json.Unmarshal([]byte(drawShow(3).Draw(t, "show")), &show); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(show)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > 300 {
			return // so large that it may be cut
		}
		s := learn(t, string(text))
		strict := compile(t, s.Strict())
		for _, other := range others(show) {
			changed, err := json.Marshal(other)
			if err != nil {
				t.Fatal(err)
			}
			if validates(t, strict, string(changed)) {
				t.Fatalf("%s was seen, and %s fits, too: %s", text, changed, s.Strict())
			}
		}
	})
}

// others returns values that differ in one place: in a type, or in a member.
func others(value any) (changed []any) {
	switch v := value.(type) {
	case map[string]any:
		changed = append(changed, "another", nil, []any{})
		for name, member := range v {
			changed = append(changed, without(v, name))
			for _, other := range others(member) {
				changed = append(changed, replaced(v, name, other))
			}
		}
		changed = append(changed, replaced(v, "unknown", 1))
	case []any:
		changed = append(changed, "another", nil, map[string]any{})
		if len(v) == 0 {
			changed = append(changed, []any{1})
		}
	case string:
		changed = append(changed, 1, nil, true)
	case float64:
		changed = append(changed, "another", nil, false)
	case bool:
		changed = append(changed, 1, "another", nil)
	default:
		changed = append(changed, 1, "another", map[string]any{})
	}
	return changed
}

func without(object map[string]any, name string) map[string]any {
	other := make(map[string]any)
	for member, value := range object {
		if member != name {
			other[member] = value
		}
	}
	return other
}

func replaced(object map[string]any, name string, value any) map[string]any {
	other := without(object, name)
	other[name] = value
	return other
}

// An open schema accepts what an API may add, and nothing else that a strict one refuses.
func TestOpen(t *testing.T) {
	open := compile(t, learn(t, `{"a":1,"b":{"c":"x"}}`).Open())
	for document, want := range map[string]bool{
		`{"a":1,"b":{"c":"x"},"new":true}`: true,
		`{"a":1,"b":{"c":"x","d":[]}}`:     true,
		`{"a":1}`:                          false,
		`{"a":"1","b":{"c":"x"}}`:          false,
		`{"a":1,"b":{}}`:                   false,
	} {
		if got := validates(t, open, document); got != want {
			t.Errorf("%s fits: %v, want %v", document, got, want)
		}
	}
}
