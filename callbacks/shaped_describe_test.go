// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/shape"
)

// An API in another shape describes its own paths, names and statuses, and none of ours.
func TestShapedDocument(t *testing.T) {
	s := newStage(t, withShape(t, assembly+assemblyMore, assemblyShapes))
	document := s.as("acme", http.MethodGet, "/about.json", "").want(t, 200)
	var paths []string
	ids := make(map[string]bool)
	for path, operations := range at(document.json, "paths").(map[string]any) {
		for method, operation := range operations.(map[string]any) {
			paths = append(paths, strings.ToUpper(method)+" "+path)
			ids[operation.(map[string]any)["operationId"].(string)] = true
		}
	}
	slices.Sort(paths)
	want := []string{
		"DELETE /callbacks/{id}", "GET /about.json", "GET /callbacks", "GET /callbacks/{id}", "GET /callbacks/{id}/responses", "GET /callbacks/{id}/responses/{delivery}",
		"GET /events", "GET /events/{event}", "GET /found/{id}", "PATCH /callbacks/{id}", "POST /callbacks", "POST /callbacks/{id}/pause", "POST /callbacks/{id}/recover",
		"POST /callbacks/{id}/replay", "POST /callbacks/{id}/responses/{delivery}/again", "POST /callbacks/{id}/resume", "POST /callbacks/{id}/secret", "POST /callbacks/{id}/test",
		"POST /found/{id}", "PUT /kinds/{type}",
	}
	if !slices.Equal(paths, want) || len(ids) != len(want) {
		t.Errorf("it has %q, and %d ids", paths, len(ids))
	}
	for _, ours := range []string{`"callbackUrl"`, "/endpoints"} {
		if strings.Contains(document.body, ours) {
			t.Errorf("it has %s", ours)
		}
	}
	d := openAPIOf(t, []byte(document.body))
	for _, test := range []struct {
		path, method, media, body string
		fits                      bool
	}{
		{"/callbacks", "post", typeJSON, `{"url":"https://a","object_type":5,"enabled":true,"user":"u","extra":{"X":"y"}}`, true},
		{"/callbacks", "post", typeJSON, `{"callbacks":{"object_type":"items"}}`, true},
		{"/callbacks", "post", typeJSON, `{"events":["items.*"]}`, false},
		{"/callbacks", "post", typeJSON, `{"enabled":"yes"}`, false},
		{"/callbacks", "post", typeJSON, `{"id":"ep_1"}`, false},
		{"/callbacks", "post", typeJSON, `{"callbacks":{"id":"x"}}`, false},
		{"/callbacks", "post", typeForm, `{"url":"https://a","user":"u"}`, true},
		{"/callbacks", "post", typeForm, `{"extra":"x"}`, false},
		{"/callbacks/{id}", "patch", typeMerge, `{"description":null}`, true},
	} {
		schema, err := d.schema("paths", test.path, test.method, "requestBody", "content", test.media, "schema")
		must(t, err)
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(test.body))
		must(t, err)
		if err := schema.Validate(value); (err == nil) != test.fits {
			t.Errorf("%s %s %s: %v", test.method, test.path, test.body, err)
		}
	}
	answers := at(document.json, "paths", "/kinds/{type}", "put", "responses").(map[string]any)
	if answers["200"] == nil || answers["201"] != nil || answers["403"] == nil || answers["412"] == nil {
		t.Errorf("PUT answers %v", answers)
	}
}

// assemblyMore are routes that are described in a way of their own: with a method that
// OpenAPI does not know, with another name for the same path, and that make or replace.
const assemblyMore = `
	list SEARCH /callbacks/search
	describe GET /about.json
	put PUT /kinds/:type 200
	show GET /found/:id
	resume POST /found/:type
`

// Each verb has something of ours that says what it does.
func TestVerbsAreDescribed(t *testing.T) {
	d := describer{ours: newStage(t).server.ours}
	for _, v := range shape.Verbs() {
		if of := d.about(&v); of.id == "" || len(of.answers) == 0 || v.Takes && of.body == nil {
			t.Errorf("%s %s is not described", v.Name, v.Thing)
		}
	}
}

// What requests can say is taken from the schema of ours, whatever member it stands in.
func TestShapedSchemasAreOurs(t *testing.T) {
	for _, line := range []string{"mine.deep.url=url format=payload.format team=metadata.team user=auth.name", "in x a=order b=payload.fields"} {
		s := newStage(t, withShape(t, "create POST /c\nlist GET /c\ndescribe GET /d", map[string]string{shape.Endpoint: line}))
		body := s.as("acme", http.MethodGet, "/d", "").want(t, 200).body
		if !json.Valid([]byte(body)) {
			t.Fatal(body)
		}
		made := fmt.Sprint(body)
		switch {
		case strings.HasPrefix(line, "in"):
			if !strings.Contains(made, `"a":{"enum":["object","endpoint","none"`) {
				t.Errorf("%s: %s", line, made)
			}
			s.as("acme", http.MethodPost, "/c", `{"x":{"a":"none"}}`).want(t, 201, `{"x":{"a":"none"}}`)
		default:
			s.as("acme", http.MethodPost, "/c", `{"mine":{"deep":{"url":"https://a.example"}},"format":"standard","team":"erp"}`).want(t, 201, `"deep":{"url":"https://a.example"}`, `"team":"erp"`)
		}
		s.as("acme", http.MethodGet, "/c", "").want(t, 200)
	}
}
