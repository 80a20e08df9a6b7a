// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// hostile are texts that programs trip over.
var hostile = []string{
	"", " ", "\x00", "\xff", "../../etc/passwd", "%00", "%2e%2e", "' OR 1=1 --", "<script>", "${jndi:ldap://x}", "{{7*7}}", "\u202e", "\n", "NaN", "-1", "1e999",
	"99999999999999999999", strings.Repeat("9", 400), strings.Repeat("a", 5000), "null", "[]", "{}", "*", "items.*", "2026-01-01T00:00:00Z", "9999999h", "latest",
	"whk_x", "ep_" + strings.Repeat("a", 26), "evt_" + strings.Repeat("a", 26) + ".ep_" + strings.Repeat("b", 26), "umbrella", "AQAAAAcAAAAAAAAABQ",
}

// drawValue draws a value by a schema of the document: mostly what it says, sometimes not.
func drawValue(t *rapid.T, document, schema any, depth int) any {
	if reference, _ := at(schema, "$ref").(string); reference != "" {
		return drawValue(t, document, at(document, strings.Split(strings.TrimPrefix(reference, "#/"), "/")...), depth)
	}
	if depth > 4 || rapid.IntRange(0, 9).Draw(t, "wrong") == 0 {
		return rapid.SampledFrom([]any{nil, true, 1, 1.5, -1, "x", strings.Repeat("x", 9000), []any{}, []any{nil}, map[string]any{}, map[string]any{"": nil}, json.Number("1e400")}).Draw(t, "value")
	}
	if choices, _ := at(schema, "anyOf").([]any); len(choices) > 0 {
		return drawValue(t, document, rapid.SampledFrom(choices).Draw(t, "choice"), depth+1)
	}
	if values, _ := at(schema, "enum").([]any); len(values) > 0 {
		return rapid.SampledFrom(values).Draw(t, "enum")
	}
	types, _ := at(schema, "type").([]any)
	if name, isText := at(schema, "type").(string); isText {
		types = []any{name}
	}
	if len(types) == 0 {
		return rapid.SampledFrom(hostile).Draw(t, "any")
	}
	switch rapid.SampledFrom(types).Draw(t, "type") {
	case "object":
		made := map[string]any{}
		properties, _ := at(schema, "properties").(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			if rapid.Bool().Draw(t, "has "+name) {
				made[name] = drawValue(t, document, properties[name], depth+1)
			}
		}
		if rapid.IntRange(0, 9).Draw(t, "more") == 0 {
			made[rapid.SampledFrom(hostile).Draw(t, "name")] = "x"
		}
		return made
	case "array":
		made := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "length") {
			made = append(made, drawValue(t, document, at(schema, "items"), depth+1))
		}
		return made
	case "integer":
		return rapid.SampledFrom([]any{0, 1, 200, -1, 1 << 40}).Draw(t, "integer")
	case "boolean":
		return rapid.Bool().Draw(t, "boolean")
	case "null":
		return nil
	}
	examples, _ := at(schema, "examples").([]any)
	return rapid.SampledFrom(append(examples, "items.*", "https://erp.example/h", "standard", "24h", "10/s", rapid.SampledFrom(hostile).Draw(t, "hostile"))).Draw(t, "text")
}

// drawText draws the text of a parameter: one that is there, or another.
func drawText(t *rapid.T, name string, there []string) string {
	return rapid.SampledFrom(append(slices.Clone(there), rapid.SampledFrom(hostile).Draw(t, name))).Draw(t, name)
}

// Of requests that are made from the document, right and wrong in all ways, none is answered
// with a 5xx, and each with what the document says.
func TestDocumentedRequests(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newStage(t, catalogued(t))
		acme := s.has("acme")
		s.has("umbrella")
		document := any(s.as("acme", http.MethodGet, "/openapi.json", "").want(t, 200).json)
		paths := at(document, "paths").(map[string]any)
		for range rapid.IntRange(1, 8).Draw(rt, "requests") {
			path := rapid.SampledFrom(slices.Sorted(maps.Keys(paths))).Draw(rt, "path")
			operations := paths[path].(map[string]any)
			method := rapid.SampledFrom(slices.Sorted(maps.Keys(operations))).Draw(rt, "method")
			r := drawRequest(rt, document, path, method, acme)
			r.Header.Set("Authorization", "Bearer "+s.keys[rapid.SampledFrom([]string{"acme", "acme", "umbrella", "nobody"}).Draw(rt, "tenant")])
			if got := s.serve(r.WithContext(t.Context())); got.status >= 500 {
				rt.Fatalf("%s %s: %d %s, %s", r.Method, r.URL, got.status, got.body, s.log)
			}
		}
		if t.Failed() {
			rt.Fatal("an answer is not as it is described")
		}
	})
}

// drawRequest draws a request to an operation of the document.
func drawRequest(t *rapid.T, document any, path, method string, there names) *http.Request {
	operation := at(document, "paths", path, method)
	r := httptest.NewRequest(strings.ToUpper(method), "/", http.NoBody)
	if schema := bodySchema(operation); schema != nil && rapid.IntRange(0, 9).Draw(t, "no body") > 0 {
		text, err := json.Marshal(drawValue(t, document, schema, 0))
		if err != nil {
			text = []byte(rapid.SampledFrom(hostile).Draw(t, "body"))
		}
		r = httptest.NewRequest(strings.ToUpper(method), "/", strings.NewReader(string(text)))
		r.Header.Set("Content-Type", rapid.SampledFrom([]string{typeJSON, typeJSON, typeJSON, typeMerge, "text/plain", ""}).Draw(t, "type"))
	}
	query := r.URL.Query()
	parameters, _ := at(operation, "parameters").([]any)
	var ids []string
	if kind := there[strings.Split(path, "/")[1]]; kind[0] != "" {
		ids = kind[:]
	}
	for _, parameter := range parameters {
		name := at(parameter, "name").(string)
		switch value := drawText(t, name, append(ids, "items.updated", "5", "1h", "1", "key-1")); {
		case at(parameter, "in") == "path":
			path = strings.Replace(path, "{"+name+"}", value, 1)
		case rapid.Bool().Draw(t, "has "+name):
		case at(parameter, "in") == "query":
			// Waiting is tested elsewhere.
			if name != "wait" {
				query.Add(name, value)
			}
		default:
			r.Header.Set(name, value)
		}
	}
	r.URL.Path, r.URL.RawQuery = path, query.Encode()
	return r
}

// bodySchema returns the schema of an operation's body, nil for none.
func bodySchema(operation any) any {
	contents, _ := at(operation, "requestBody", "content").(map[string]any)
	for _, media := range slices.Sorted(maps.Keys(contents)) {
		return at(contents, media, "schema")
	}
	return nil
}
