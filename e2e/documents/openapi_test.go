// SPDX-License-Identifier: Apache-2.0

package documents

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/catalogue"
)

// description is that of an API with a little of everything.
func description(t *testing.T) catalogue.Description {
	t.Helper()
	number := json.RawMessage(`{"type":"integer","minimum":1,"maximum":100}`)
	return catalogue.Description{
		Title: "Webhooks", Version: "1", Text: "Manage *your* callbacks <here>.", Servers: []string{"https://api.example.com/webhooks"},
		Security: []catalogue.SecurityScheme{{Name: "key", Scheme: "bearer", Text: "An API key."}, {Name: "legacy", Header: "X-Api-Key"}},
		Schemas: map[string]json.RawMessage{
			"Endpoint": json.RawMessage(`{"type":"object","required":["url"],"properties":{"url":{"type":"string"},"events":{"type":"array","items":{"type":"string"}}},"additionalProperties":false}`),
		},
		Routes: []catalogue.Route{
			{
				Method: "GET", Path: "/endpoints", ID: "listEndpoints", Summary: "List endpoints.", Tag: "endpoints",
				Parameters: []catalogue.Parameter{{Name: "limit", In: catalogue.InQuery, Schema: number}, {Name: "cursor", In: catalogue.InQuery, Text: "Where to go on."}},
				Answers: []catalogue.Answer{{Status: 200, Text: "The endpoints.", Body: &catalogue.Content{
					Schema: json.RawMessage(`{"type":"object","required":["data"],"properties":{"data":{"type":"array","items":{"$ref":"#/components/schemas/Endpoint"}}}}`),
				}}},
				Problems: []int{400, 401, 429},
			},
			{
				Method: "POST", Path: "/endpoints", ID: "createEndpoint", Summary: "Make an endpoint.", Tag: "endpoints",
				Parameters: []catalogue.Parameter{{Name: "Idempotency-Key", In: catalogue.InHeader}},
				Body:       &catalogue.Content{Schema: json.RawMessage(`{"$ref":"#/components/schemas/Endpoint"}`), Example: json.RawMessage(`{"url":"https://a.example"}`)},
				Answers: []catalogue.Answer{{
					Status: 201, Text: "It is there.", Headers: map[string]string{"Location": "Where it is."},
					Body: &catalogue.Content{Schema: json.RawMessage(`{"$ref":"#/components/schemas/Endpoint"}`)},
				}},
				Problems: []int{422},
			},
			{
				Method: "DELETE", Path: "/endpoints/{id}", ID: "deleteEndpoint", Summary: "Delete an endpoint.",
				Parameters: []catalogue.Parameter{{Name: "id", In: catalogue.InPath}}, Answers: []catalogue.Answer{{Status: 204, Text: "It is gone."}}, Problems: []int{404},
			},
			{Method: "GET", Path: "/openapi.json", ID: "describe", Summary: "This document.", Public: true, Answers: []catalogue.Answer{{Status: 200, Text: "It.", Body: &catalogue.Content{}}}},
		},
		Webhooks: []catalogue.Webhook{
			{
				Type: "items.updated", Text: "An item has changed.",
				Body: catalogue.Content{Schema: learn(t, `{"id":1,"state":"new"}`, `{"id":2,"state":null}`).Open(), Example: json.RawMessage(`{"id":1,"state":"paid"}`)},
			},
			{Type: "items.nothing_seen", Body: catalogue.Content{Schema: learn(t).Open()}},
			{Type: "reports.updated", Body: catalogue.Content{Types: []string{"application/xml"}, Schema: json.RawMessage(`{"type":"string"}`)}},
		},
	}
}

func build(t *testing.T) *openapi3.T {
	t.Helper()
	text, err := catalogue.Build(description(t))
	if err != nil {
		t.Fatal(err)
	}
	document, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return document
}

// The document is one, as others read it, and has what was described.
func TestDocumentIsValid(t *testing.T) {
	document := build(t)
	if err := document.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	if document.OpenAPI != "3.1.0" || document.Paths.Len() != 3 {
		t.Errorf("version %s, %d paths", document.OpenAPI, document.Paths.Len())
	}
	hook := document.Webhooks["items.updated"]
	if hook == nil || hook.Post == nil || len(hook.Post.Parameters) != 9 || hook.Post.Parameters[0].Value == nil {
		t.Fatalf("the webhook is %+v", hook)
	}
	schema := hook.Post.RequestBody.Value.Content["application/json"].Schema.Value
	if schema == nil || strings.Join(schema.Required, " ") != "id state" {
		t.Errorf("the webhook's schema is %+v", schema)
	}
}

// Requests and answers are checked by it as the description says.
func TestDocumentChecks(t *testing.T) {
	router, err := gorillamux.NewRouter(build(t))
	if err != nil {
		t.Fatal(err)
	}
	request := func(method, path, body string) *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), method, "https://api.example.com/webhooks"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer whk_x")
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		return r
	}
	for _, test := range []struct {
		method, path, body string
		want               bool
	}{
		{"GET", "/endpoints?limit=5", "", true},
		{"GET", "/endpoints?limit=x", "", false},
		{"GET", "/endpoints?limit=1000", "", false},
		{"POST", "/endpoints", `{"url":"https://a"}`, true},
		{"POST", "/endpoints", `{}`, false},
		{"POST", "/endpoints", `{"url":1}`, false},
		{"POST", "/endpoints", `{"url":"https://a","more":1}`, false},
		{"DELETE", "/endpoints/7", "", true},
		{"PUT", "/endpoints", "", false},
		{"GET", "/elsewhere", "", false},
	} {
		r := request(test.method, test.path, test.body)
		route, variables, err := router.FindRoute(r)
		if err == nil {
			err = openapi3filter.ValidateRequest(t.Context(), &openapi3filter.RequestValidationInput{
				Request: r, PathParams: variables, Route: route,
				Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
			})
		}
		if (err == nil) != test.want {
			t.Errorf("%s %s %s: %v, want %v: %v", test.method, test.path, test.body, err == nil, test.want, err)
		}
	}
}
