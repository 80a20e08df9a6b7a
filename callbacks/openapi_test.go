// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// openAPI is a document by which answers are checked: what stands in it, and no more.
type openAPI struct {
	document map[string]any
	compiler *jsonschema.Compiler
	mu       sync.Mutex
	schemas  map[string]*jsonschema.Schema
}

// documents has the documents of the tests' servers, by their text: most are the same.
var documents sync.Map

func openAPIOf(t *testing.T, text []byte) *openAPI {
	t.Helper()
	if known, ok := documents.Load(string(text)); ok {
		return known.(*openAPI)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	must(t, err)
	tighten(value)
	d := &openAPI{document: value.(map[string]any), compiler: jsonschema.NewCompiler(), schemas: make(map[string]*jsonschema.Schema)}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	must(t, d.compiler.AddResource("urn:openapi", value))
	documents.Store(string(text), d)
	return d
}

// tighten refuses members that no schema names: an answer that has one is not described.
func tighten(value any) {
	switch value := value.(type) {
	case map[string]any:
		if _, has := value["additionalProperties"]; !has && value["type"] == "object" && value["properties"] != nil {
			value["additionalProperties"] = false
		}
		for name, member := range value {
			if name != "webhooks" && name != "example" && name != "examples" {
				tighten(member)
			}
		}
	case []any:
		for _, element := range value {
			tighten(element)
		}
	}
}

// at returns the value at names, nil if there is none.
func at(value any, names ...string) any {
	for _, name := range names {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	return value
}

// check returns what of an answer the document does not say.
func (d *openAPI) check(path, method string, got reply) error {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	answers, _ := at(d.document, "paths", path, strings.ToLower(method), "responses").(map[string]any)
	if answers == nil {
		return fmt.Errorf("%s %s is not described", method, path)
	}
	status := fmt.Sprint(got.status)
	if answers[status] == nil {
		return fmt.Errorf("%s %s does not say that it may answer %s", method, path, status)
	}
	contents, _ := at(answers, status, "content").(map[string]any)
	media, _, err := mime.ParseMediaType(got.header.Get("Content-Type"))
	switch {
	case len(contents) == 0 && got.body == "":
		return nil
	case len(contents) == 0:
		return fmt.Errorf("%s %s %s has a body that is not described", method, path, status)
	case contents["*/*"] != nil, got.body == "":
		return nil
	case err != nil || contents[media] == nil:
		return fmt.Errorf("%s %s %s is of the type %q, and %q are described", method, path, status, media, slices.Collect(maps.Keys(contents)))
	case !strings.HasSuffix(media, "json"):
		return nil
	}
	schema, err := d.schema("paths", path, strings.ToLower(method), "responses", status, "content", media, "schema")
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(got.body))
	if err == nil {
		err = schema.Validate(value)
	}
	if err != nil {
		return fmt.Errorf("%s %s %s: %w in %s", method, path, status, err, got.body)
	}
	return nil
}

// schema returns the schema at a place in the document.
func (d *openAPI) schema(names ...string) (*jsonschema.Schema, error) {
	pointer := "urn:openapi#"
	for _, name := range names {
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(name)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.schemas[pointer] == nil {
		compiled, err := d.compiler.Compile(pointer)
		if err != nil {
			return nil, err
		}
		d.schemas[pointer] = compiled
	}
	return d.schemas[pointer], nil
}

// documented returns the document of the stage's first server.
func (s *stage) documented() *openAPI {
	c := &call{Server: New(*s.options, NewLimits()), r: (&http.Request{}).WithContext(s.t.Context())}
	text, err := c.openAPI()
	must(s.t, err)
	return openAPIOf(s.t, text)
}

// described checks an answer by the document of the server that gave it. Paths and methods
// that there are not are no part of it.
func (s *stage) described(r *http.Request, got reply) {
	s.t.Helper()
	found, _ := match(s.server.routes, r.URL.EscapedPath()).of(r.Method)
	if found == nil || got.status == http.StatusMethodNotAllowed {
		return
	}
	path := found.path
	if found.shaped != nil {
		path = s.documentPath(found)
	}
	if err := s.document().check(path, r.Method, got); err != nil {
		s.t.Error(err)
	}
}

// documentPath returns the path of the document that stands for that of a route in another
// shape.
func (s *stage) documentPath(of *matched) string {
	d := describer{paths: make(map[string]string)}
	for i := range s.server.routes {
		if path := d.path(&s.server.routes[i]); s.server.routes[i].parsed.String() == of.parsed.String() {
			return path
		}
	}
	return ""
}

// Each route is in the document, and each operation of the document is a route.
func TestDocumentHasAllRoutes(t *testing.T) {
	s := newStage(t)
	document := s.as("acme", http.MethodGet, "/openapi.json", "").want(t, 200).json
	described := make(map[string]bool)
	for path, operations := range at(document, "paths").(map[string]any) {
		for method := range operations.(map[string]any) {
			described[strings.ToUpper(method)+" "+path] = true
		}
	}
	for _, rt := range s.server.routes {
		for method, operation := range rt.methods {
			name := method + " " + rt.path
			if !described[name] || operation.do == nil {
				t.Errorf("%s is not described, or does nothing", name)
			}
			delete(described, name)
		}
	}
	for name := range described {
		t.Errorf("%s is described, and is no route", name)
	}
	if got := at(document, "servers").([]any)[0].(map[string]any)["url"]; got != "/webhooks" {
		t.Errorf("it is at %v", got)
	}
}

// An answer that the document does not describe fails the tests of this package.
func TestAnswersAreChecked(t *testing.T) {
	text, err := (&call{Server: newStage(t).server, r: (&http.Request{}).WithContext(t.Context())}).openAPI()
	must(t, err)
	d := openAPIOf(t, text)
	in := http.Header{"Content-Type": {typeJSON}}
	for name, test := range map[string]struct {
		path, method string
		got          reply
		fits         bool
	}{
		"as it is":         {"/me", http.MethodGet, reply{status: 200, header: in, body: `{"tenant":"acme","name":"x"}`}, true},
		"by HEAD":          {"/me", http.MethodHead, reply{status: 200, header: in}, true},
		"a member more":    {"/me", http.MethodGet, reply{status: 200, header: in, body: `{"tenant":"acme","name":"x","more":1}`}, false},
		"a member less":    {"/me", http.MethodGet, reply{status: 200, header: in, body: `{"tenant":"acme"}`}, false},
		"another type":     {"/me", http.MethodGet, reply{status: 200, header: http.Header{"Content-Type": {"text/plain"}}, body: `x`}, false},
		"another status":   {"/me", http.MethodGet, reply{status: 201, header: in, body: `{"tenant":"acme","name":"x"}`}, false},
		"a body":           {"/keys/{id}", http.MethodDelete, reply{status: 204, header: in, body: `{}`}, false},
		"no time":          {"/keys", http.MethodPost, reply{status: 201, header: in, body: `{"id":"x","created_at":"now"}`}, false},
		"a route of none":  {"/nothing", http.MethodGet, reply{status: 200}, false},
		"a method of none": {"/me", http.MethodPut, reply{status: 200}, false},
		"a deep member":    {"/keys", http.MethodGet, reply{status: 200, header: in, body: `{"data":[{"id":1,"created_at":"2026-01-01T00:00:00Z"}]}`}, false},
	} {
		if err := d.check(test.path, test.method, test.got); (err == nil) != test.fits {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// All schemas of the document are ones, and its examples fit.
func TestDocumentSchemas(t *testing.T) {
	s := newStage(t)
	text := s.as("acme", http.MethodGet, "/openapi.json", "").want(t, 200).body
	d := openAPIOf(t, []byte(text))
	for path, operations := range d.document["paths"].(map[string]any) {
		for method, operation := range operations.(map[string]any) {
			if bodySchema(operation) != nil {
				if _, err := d.schema("paths", path, method, "requestBody", "content", typeJSON, "schema"); err != nil {
					t.Error(err)
				}
			}
			for status, answer := range at(operation, "responses").(map[string]any) {
				contents, _ := at(answer, "content").(map[string]any)
				for media := range contents {
					if _, err := d.schema("paths", path, method, "responses", status, "content", media, "schema"); err != nil {
						t.Error(err)
					}
				}
			}
		}
	}
	for name := range components {
		if _, err := d.schema("components", "schemas", name); err != nil {
			t.Error(err)
		}
		if !json.Valid(components[name]) || !strings.Contains(strings.ReplaceAll(text, `"components":`, ""), "#/components/schemas/"+name+`"`) {
			t.Errorf("nothing refers to %s", name)
		}
	}
}
