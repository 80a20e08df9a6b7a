// SPDX-License-Identifier: Apache-2.0

package documents

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
	"github.com/caddy-webhooks/caddy-webhooks/callbacks/catalogue"
	"github.com/caddy-webhooks/caddy-webhooks/callbacks/shape"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
	"github.com/caddy-webhooks/caddy-webhooks/seal"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// typesOf returns types of events that some rules make, one of them declared.
func typesOf(t *testing.T) *catalogue.Types {
	t.Helper()
	var made []catalogue.Made
	for _, name := range []string{"items.updated", "items.state.{state}", "process.completed"} {
		template, err := event.ParseTemplate(name)
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, catalogue.Made{Resource: "items", Type: template})
	}
	types, err := catalogue.NewTypes(made, []catalogue.Declared{{
		Pattern: "process.completed", Alias: "5",
		Schema: json.RawMessage(`{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},"oneOf":[{"required":["a"]},{"required":["b"]}]}`),
	}})
	if err != nil {
		t.Fatal(err)
	}
	return types
}

// What a server says of itself is a document that others read, with all that it serves.
func TestServerDocument(t *testing.T) {
	document := documentOf(t, "/openapi.json", func(*callbacks.Options) {})
	if document.Paths.Len() < 25 || document.Paths.Value("/endpoints/{id}").Patch == nil || document.Servers[0].URL != "/webhooks" {
		t.Errorf("%d paths at %s", document.Paths.Len(), document.Servers[0].URL)
	}
	for _, name := range []string{"items.updated", "items.state.{state}", "process.completed"} {
		if hook := document.Webhooks[name]; hook == nil || hook.Post == nil || hook.Post.RequestBody.Value.Content["application/json"] == nil {
			t.Errorf("%s is %+v", name, hook)
		}
	}
}

// So it is in another shape: with all verbs, names within names, and paths that differ in
// theirs.
func TestShapedServerDocument(t *testing.T) {
	document := documentOf(t, "/about", func(o *callbacks.Options) {
		types, err := shape.NewTypes(shape.Type{Pattern: "process.completed", Alias: "5"})
		if err != nil {
			t.Fatal(err)
		}
		o.TypeNames, o.Shapes = types, make(map[string]*shape.Shape)
		for thing, fields := range map[string][]shape.Field{
			shape.Endpoint: {{Name: "notificationType", Path: "type"}, {Name: "callback.url", Path: "url"}, {Name: "enabled"}, {Name: "login.user", Path: "auth.name"}, {Name: "team", Path: "metadata.team"}, {Name: "secret"}},
			shape.Delivery: {{Name: "id"}, {Name: "code", Path: "last.status"}},
			shape.Event:    {{Name: "id"}, {Name: "of", Path: "object.id"}},
		} {
			if o.Shapes[thing], err = shape.New(thing, "data", fields, types); err != nil {
				t.Fatal(err)
			}
		}
		for i, verb := range shape.Verbs() {
			path := "/:tenant/" + verb.Name + verb.Thing
			switch {
			case verb.Name == "describe":
				path = "/about"
			case verb.Thing == shape.Object:
				path += "/:dossier/:id"
			case verb.Name == "echo" || verb.Name == "put":
				path += "/:type"
			case verb.Thing == shape.Delivery && !verb.Lists:
				path += "/:delivery"
			case verb.Thing == shape.Event && !verb.Lists:
				path += "/:event"
			case verb.Name != "create" && (verb.Name != "list" || verb.Thing == shape.Delivery):
				path += "/:id"
			}
			r := callbacks.Route{Route: shape.Route{Verb: verb.Name, Thing: verb.Thing, Methods: []string{http.MethodPost}, Path: path, Status: 200 + i%2}}
			if verb.Reads {
				r.Methods, r.Status = []string{http.MethodGet}, 0
			}
			if verb.Thing == shape.Object {
				r.Thing, r.Object = "", "processes"
			}
			if err := r.Check("dossier"); err != nil {
				t.Fatal(err)
			}
			o.Routes = append(o.Routes, r)
		}
	})
	if document.Paths.Len() != len(shape.Verbs()) || document.Paths.Value("/{tenant}/putendpoint/{type}").Post == nil {
		t.Errorf("%d paths: %v", document.Paths.Len(), document.Paths.Keys())
	}
}

// documentOf returns the document that a server gives of itself, which is valid.
func documentOf(t *testing.T, path string, change func(*callbacks.Options)) *openapi3.T {
	t.Helper()
	store := memory.New(time.Now)
	t.Cleanup(func() { _ = store.Close() })
	keyring, err := seal.NewKeyring(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	types := typesOf(t)
	options := callbacks.Options{
		Queue: func() queue.Store { return store }, Sealer: func() subscribers.Sealer { return keyring },
		Authorize: []callbacks.Authorize{func(*http.Request, queue.Store) (callbacks.Caller, error) {
			return callbacks.Caller{Tenant: "acme"}, nil
		}},
		Security: []catalogue.SecurityScheme{{Name: "key", Scheme: "bearer", Text: "An API key."}, {Name: "site", Header: "Authorization"}},
		Base:     func(*http.Request) string { return "/webhooks" }, EventTypes: func() *catalogue.Types { return types },
		Learned: func(context.Context, []catalogue.Made) (catalogue.Schema, error) {
			return learn(t, `{"id":1,"state":"new"}`, `{"id":2,"state":null,"list":[{"a":1}]}`), nil
		},
	}
	change(&options)
	server := callbacks.New(options, callbacks.NewLimits())
	answer := httptest.NewRecorder()
	server.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
	if answer.Code != http.StatusOK {
		t.Fatalf("%d %s", answer.Code, answer.Body)
	}
	document, err := openapi3.NewLoader().LoadFromData(answer.Body.Bytes())
	if err != nil {
		t.Fatalf("%v\n%s", err, answer.Body)
	}
	if err := document.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	return document
}
