// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/catalogue"
	"github.com/caddy-webhooks/caddy-webhooks/callbacks/shape"
)

// ourRoutes are the routes of ours that do what a verb does, by thing and verb. What is said
// of them is said of a route in another shape, in its names.
var ourRoutes = map[string]map[string][2]string{
	shape.Endpoint: {
		"create": {http.MethodPost, "/endpoints"}, "put": {http.MethodPut, "/endpoints/{id}"}, "list": {http.MethodGet, "/endpoints"},
		"show": {http.MethodGet, "/endpoints/{id}"}, "update": {http.MethodPatch, "/endpoints/{id}"}, "delete": {http.MethodDelete, "/endpoints/{id}"},
		"pause": {http.MethodPost, "/endpoints/{id}/pause"}, "resume": {http.MethodPost, "/endpoints/{id}/resume"},
		"rotate": {http.MethodPost, "/endpoints/{id}/secrets"}, "test": {http.MethodPost, "/endpoints/{id}/test"},
		"recover": {http.MethodPost, "/endpoints/{id}/recover"}, "replay": {http.MethodPost, "/endpoints/{id}/replay"},
		"echo": {http.MethodPost, "/types/{type}/echo"}, "describe": {http.MethodGet, "/openapi.json"},
	},
	shape.Delivery: {
		"list": {http.MethodGet, "/endpoints/{id}/deliveries"}, "show": {http.MethodGet, "/deliveries/{delivery}"},
		"resend": {http.MethodPost, "/deliveries/{delivery}/resend"},
	},
	shape.Event: {"list": {http.MethodGet, "/events"}, "show": {http.MethodGet, "/events/{event}"}},
}

// aboutObject is said of the one verb that no route of ours does.
var aboutObject = about{
	id: "resendObject", summary: "Have the last event of an object sent again, to your endpoints.",
	answers: answers(http.StatusAccepted, "It is due.", "Acted"), problems: []int{http.StatusConflict},
}

// describable are the methods that OpenAPI knows, of those that a route may have.
var describable = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// describer describes routes in another shape.
type describer struct {
	// ours are the routes of ours, and schemas the components that they refer to.
	ours    []route
	schemas map[string]json.RawMessage
	// paths are those that were described, by what is the same of them: names that differ
	// make no other path in the document. ids counts the operations of an id.
	paths map[string]string
	ids   map[string]int
}

var pathVariable = regexp.MustCompile(`\{[^{}]*\}`)

// path returns the path of a route as the document has it.
func (d *describer) path(rt *served) string {
	path := rt.parsed.Template()
	same := pathVariable.ReplaceAllString(path, "{}")
	if d.paths[same] == "" {
		d.paths[same] = path
	}
	return d.paths[same]
}

// about returns what is said of a verb in our own shape.
func (d *describer) about(does *shape.Verb) about {
	if does.Thing == shape.Object {
		return aboutObject
	}
	at := ourRoutes[does.Thing][does.Name]
	for _, rt := range d.ours {
		if rt.path == at[1] {
			return rt.methods[at[0]].about
		}
	}
	return about{}
}

// describe describes a method of a route.
func (d *describer) describe(rt *served, method string) catalogue.Route {
	s := rt.shaped
	of := d.about(s.does)
	if s.does.Name == "put" && !slices.Contains(rt.parsed.Names(), shape.NameID) {
		made := d.about(&shape.Verb{Thing: shape.Endpoint, Name: "create"})
		of.id, of.summary = "putEndpoint", "Make an endpoint, or replace it."
		of.answers, of.problems = slices.Concat(of.answers, made.answers), slices.Concat(of.problems, made.problems)
		of.parameters = slices.Concat(of.parameters, []catalogue.Parameter{idempotencyKey})
	}
	of.answers = d.answers(s, of.answers)
	described := of.describe(method, d.path(rt))
	described.Tag = s.does.Thing
	if d.ids[of.id]++; d.ids[of.id] > 1 {
		described.ID += fmt.Sprint(d.ids[of.id])
	}
	if s.does.Takes {
		described.Body, described.OtherBodies = d.bodies(s, of.body)
		described.Problems = append(described.Problems, http.StatusForbidden)
		slices.Sort(described.Problems)
	}
	return described
}

// bodies returns what a request may send: in their names, as JSON or as a form.
func (d *describer) bodies(s *shaped, ours *catalogue.Content) (*catalogue.Content, []catalogue.Content) {
	sent := *ours
	sent.Optional = false
	if s.shape != nil {
		sent.Schema = encoded(d.translator().Request(s.shape, d.component("EndpointChange")))
	}
	return &sent, []catalogue.Content{{Types: []string{typeForm}, Schema: encoded(s.form.FormSchema())}}
}

// answers returns what a route answers: with its own status of success, in their names.
func (d *describer) answers(s *shaped, ours []catalogue.Answer) []catalogue.Answer {
	byStatus := make(map[int]catalogue.Answer)
	for _, a := range ours {
		success := a.Status >= 200 && a.Status <= 299
		if success && s.status != 0 {
			a.Status = s.status
		}
		if a.Status == http.StatusNoContent || a.Status == http.StatusResetContent {
			a.Body = nil
		}
		if success && a.Body != nil && s.shape != nil {
			a.Body = &catalogue.Content{Schema: d.told(s, a.Body.Schema)}
			if s.does.Lists {
				a.Headers = map[string]string{"Link": "Where the following page is, with rel=next."}
			}
		}
		if other, twice := byStatus[a.Status]; twice {
			a = both(other, a)
		}
		byStatus[a.Status] = a
	}
	made := make([]catalogue.Answer, 0, len(byStatus))
	for _, status := range slices.Sorted(maps.Keys(byStatus)) {
		made = append(made, byStatus[status])
	}
	return made
}

// both returns the answer that is one or the other.
func both(a, b catalogue.Answer) catalogue.Answer {
	a.Text += " Or: " + b.Text
	headers := maps.Clone(a.Headers)
	if headers == nil {
		headers = make(map[string]string)
	}
	maps.Copy(headers, b.Headers)
	a.Headers = headers
	if a.Body != nil && b.Body != nil && string(a.Body.Schema) != string(b.Body.Schema) {
		a.Body = &catalogue.Content{Schema: json.RawMessage(`{"anyOf":[` + string(a.Body.Schema) + `,` + string(b.Body.Schema) + `]}`)}
	}
	return a
}

// told translates the schema of an answer: a reference to a component, or a page of such.
func (d *describer) told(s *shaped, ours json.RawMessage) json.RawMessage {
	of := decoded(ours)
	if !s.does.Lists {
		return encoded(d.translator().Answer(s.shape, d.resolve(of)))
	}
	members, _ := of["properties"].(map[string]any)
	data, _ := members["data"].(map[string]any)
	items, _ := data["items"].(map[string]any)
	return encoded(d.translator().Answers(s.shape, d.resolve(items)))
}

func (d *describer) translator() shape.Schemas {
	return shape.Schemas{Resolve: func(ref string) map[string]any { return d.component(strings.TrimPrefix(ref, "#/components/schemas/")) }}
}

// resolve returns what a schema that only refers refers to.
func (d *describer) resolve(of map[string]any) map[string]any {
	if ref, refers := of["$ref"].(string); refers {
		return d.component(strings.TrimPrefix(ref, "#/components/schemas/"))
	}
	return of
}

func (d *describer) component(name string) map[string]any { return decoded(d.schemas[name]) }

// decoded reads a schema of ours.
func decoded(schema json.RawMessage) map[string]any {
	var value map[string]any
	if err := json.Unmarshal(schema, &value); err != nil {
		panic(err) // it is written here
	}
	return value
}

func encoded(schema map[string]any) json.RawMessage {
	text, err := json.Marshal(schema)
	if err != nil {
		panic(err) // maps, lists and texts alone
	}
	return text
}
