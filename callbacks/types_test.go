// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/catalogue"
	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// partnerSchema says that exactly one of two members is there.
const partnerSchema = `{"type":"object","properties":{"processUniqueId":{"type":"string"},"simulationUniqueId":{"type":"string"}},` +
	`"additionalProperties":false,"oneOf":[{"required":["processUniqueId"]},{"required":["simulationUniqueId"]}]}`

// catalogued gives a server types of events, and what was learned of them.
func catalogued(t *testing.T) func(*Options) {
	t.Helper()
	var made []catalogue.Made
	for _, one := range []string{"items items.created", "items items.updated", "items items.state.{state}", "processes process.completed"} {
		resource, name, _ := strings.Cut(one, " ")
		template, err := event.ParseTemplate(name)
		must(t, err)
		made = append(made, catalogue.Made{Resource: resource, Type: template})
	}
	types, err := catalogue.NewTypes(made, []catalogue.Declared{
		{Pattern: "items.*", Alias: "items", Description: "Something about an item."},
		{Pattern: "process.completed", Alias: "5", Description: "A process has ended.", Schema: json.RawMessage(partnerSchema)},
	})
	must(t, err)
	learned, err := catalogue.Infer([]byte(`{"id":"42","amount":80,"state":"new"}`), event.Projection{})
	must(t, err)
	return func(o *Options) {
		o.EventTypes = func() *catalogue.Types { return types }
		o.Learned = func(_ context.Context, of []catalogue.Made) (all catalogue.Schema, err error) {
			for _, m := range of {
				if m.Type.String() == "items.updated" {
					all = all.Merge(learned)
				}
			}
			return all, nil
		}
	}
}

// Types are listed with what is known of them, page by page, and found by name, alias, or
// a name that a value completes.
func TestShowTypes(t *testing.T) {
	s := newStage(t, catalogued(t))
	var names []string
	for path := "/types?limit=2"; path != ""; {
		page := s.as("acme", http.MethodGet, path, "").want(t, 200)
		for _, row := range page.json["data"].([]any) {
			names = append(names, row.(map[string]any)["name"].(string))
		}
		path = ""
		if next := page.text("next"); next != "" {
			path = "/types?limit=2&cursor=" + strings.NewReplacer("{", "%7B", "}", "%7D").Replace(next)
		}
	}
	if got := strings.Join(names, " "); got != "items.* items.created items.state.{state} items.updated process.completed" {
		t.Errorf("types %s", got)
	}
	s.as("acme", http.MethodGet, "/types/items.updated", "").want(t, 200, `"learned":true`, `"required":["amount","id","state"]`, `"sample":{"amount":1,"id":"text","state":"text"}`,
		`"description":"Something about an item."`, `"events":"items.updated"`)
	s.as("acme", http.MethodGet, "/types/items.created", "").want(t, 200, `"schema":{}`)
	s.as("acme", http.MethodGet, "/types/5", "").want(t, 200, `"name":"process.completed"`, `"learned":false`, `"sample":{"processUniqueId":"text"}`)
	s.as("acme", http.MethodGet, "/types/items.state.%7Bstate%7D", "").want(t, 200, `"events":"items.state.*"`)
	s.as("acme", http.MethodGet, "/types/items.state.paid", "").want(t, 200, `"name":"items.state.paid"`)
	s.as("acme", http.MethodGet, "/types/items", "").want(t, 200, `"name":"items.*"`, `"resources":["items"]`)
	s.as("acme", http.MethodGet, "/types/users.created", "").want(t, 404)
	s.as("nobody", http.MethodGet, "/types", "").want(t, 401)
	document := s.as("acme", http.MethodGet, "/openapi.json", "").want(t, 200)
	hook := at(document.json, "webhooks", "process.completed", "post", "requestBody", "content", "application/json")
	if at(hook, "schema", "oneOf") == nil || at(hook, "example", "processUniqueId") != "text" || at(document.json, "webhooks", "items.*") != nil {
		t.Errorf("the webhook is %v", hook)
	}
}

// Before it is known what there is, the answer is to come again.
func TestTypesAreNotKnownYet(t *testing.T) {
	s := newStage(t, catalogued(t))
	s.as("acme", http.MethodGet, "/types", "").want(t, 200) // the document is made while they are known
	s.options.EventTypes = func() *catalogue.Types { return nil }
	s.server = New(*s.options, NewLimits())
	for _, path := range []string{"/types", "/types/items.updated", "/openapi.json"} {
		s.as("acme", http.MethodGet, path, "").want(t, 503)
	}
}

// The addresses are those of the configuration; none is none that is known.
func TestAddresses(t *testing.T) {
	newStage(t).as("acme", http.MethodGet, "/addresses", "").want(t, 200, `{"addresses":[],"fixed":false}`)
	s := newStage(t, func(o *Options) { o.Addresses = []string{"192.0.2.1", "192.0.2.2"} })
	s.as("acme", http.MethodGet, "/addresses", "").want(t, 200, `{"addresses":["192.0.2.1","192.0.2.2"],"fixed":true}`)
	s.as("nobody", http.MethodGet, "/addresses", "").want(t, 401)
}

// What cannot be read of the queue is our trouble, and is told as that.
func TestLearnedFails(t *testing.T) {
	s := newStage(t, catalogued(t))
	s.as("acme", http.MethodGet, "/types", "").want(t, 200)
	s.options.Learned = func(context.Context, []catalogue.Made) (catalogue.Schema, error) { return catalogue.Schema{}, errDisk }
	s.server = New(*s.options, NewLimits())
	s.as("acme", http.MethodGet, "/types/items.updated", "").want(t, 500)
	if !strings.Contains(s.log.String(), errDisk.Error()) {
		t.Errorf("the log says %s", s.log)
	}
}
