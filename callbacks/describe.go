// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/catalogue"
	"github.com/caddy-webhooks/caddy-webhooks/callbacks/shape"
)

// about is what is said of an operation, see [catalogue.Route]. Its path's variables and
// what any request may be answered with are added.
type about struct {
	// id names it for programs, and summary says in a line what it does.
	id, summary, text string
	parameters        []catalogue.Parameter
	body              *catalogue.Content
	answers           []catalogue.Answer
	// problems are the statuses of problems beside those of every request.
	problems []int
}

// problemsOfAll may be the answer to any request.
var problemsOfAll = []int{
	http.StatusBadRequest, http.StatusUnauthorized, http.StatusNotFound, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable,
}

// variable says what a variable of a path is.
func variable(name string) string {
	switch name {
	case shape.NameTenant:
		return "You, as the API knows you."
	case "secret":
		return "The id of a secret."
	case "type":
		return "The name or the alias of a type of event."
	case "event":
		return "The id of an event, or a webhook-id."
	case "delivery":
		return "The id of a delivery."
	}
	return "The id, as answers have it."
}

// describe returns what is said of the routes that are served, in the order of their paths.
func (s *Server) describe() []catalogue.Route {
	var all []catalogue.Route
	routes := s.routes
	d := describer{ours: s.ours, schemas: s.schemas(), paths: make(map[string]string), ids: make(map[string]int)}
	for i := range routes {
		rt := &routes[i]
		for _, method := range slices.Sorted(maps.Keys(rt.methods)) {
			switch {
			case rt.shaped == nil:
				all = append(all, rt.methods[method].describe(method, rt.path))
			case slices.Contains(describable, method):
				all = append(all, d.describe(rt, method))
			}
		}
	}
	return all
}

func (a about) describe(method, path string) catalogue.Route {
	described := catalogue.Route{
		Method: method, Path: path, ID: a.id, Summary: a.summary, Text: a.text, Tag: strings.Split(path, "/")[1],
		Parameters: slices.Clone(a.parameters), Body: a.body, Answers: a.answers,
	}
	for part := range strings.SplitSeq(path, "/") {
		if name, isVariable := strings.CutPrefix(part, "{"); isVariable {
			name = strings.TrimSuffix(name, "}")
			described.Parameters = append(described.Parameters, catalogue.Parameter{Name: name, In: catalogue.InPath, Text: variable(name)})
		}
	}
	described.Problems = slices.Concat(problemsOfAll, a.problems)
	slices.Sort(described.Problems)
	described.Problems = slices.Compact(described.Problems)
	return described
}

// refers returns the schema of a component.
func refers(name string) json.RawMessage {
	return json.RawMessage(`{"$ref":"#/components/schemas/` + name + `"}`)
}

// answers returns an answer with a component as its body; "" for none.
func answers(status int, text, component string, headers ...string) []catalogue.Answer {
	a := catalogue.Answer{Status: status, Text: text}
	if component != "" {
		a.Body = &catalogue.Content{Schema: refers(component)}
	}
	for _, name := range headers {
		if a.Headers == nil {
			a.Headers = make(map[string]string)
		}
		a.Headers[name] = headerTexts[name]
	}
	return []catalogue.Answer{a}
}

// headerTexts say what the headers of answers are.
var headerTexts = map[string]string{
	"ETag": "Names the state, for If-Match and If-None-Match.", "Location": "Where it is.",
	"Idempotency-Replayed": "true if it is the answer to an earlier request with the same Idempotency-Key.",
}

// listed returns the answer with a page of a list.
func listed(text, component string) []catalogue.Answer {
	schema := fmt.Sprintf(`{"type":"object","required":["data"],"properties":{"data":{"type":"array","items":%s},"next":{"type":"string","description":"the cursor of the following page"}}}`, refers(component))
	return []catalogue.Answer{{Status: http.StatusOK, Text: text, Body: &catalogue.Content{Schema: json.RawMessage(schema)}}}
}

// sends returns a body in JSON.
func sends(component string, optional bool) *catalogue.Content {
	return &catalogue.Content{Schema: refers(component), Optional: optional}
}

// asks returns a parameter of the query.
func asks(name, text, schema string) catalogue.Parameter {
	p := catalogue.Parameter{Name: name, In: catalogue.InQuery, Text: text}
	if schema != "" {
		p.Schema = json.RawMessage(schema)
	}
	return p
}

// inHeader returns a parameter in a header.
func inHeader(name, text string) catalogue.Parameter {
	return catalogue.Parameter{Name: name, In: catalogue.InHeader, Text: text}
}

var (
	cursorParameter = asks("cursor", "`next` of the page before.", `{"type":"string","minLength":1}`)
	paging          = []catalogue.Parameter{cursorParameter, asks("limit", "How many rows at most.", fmt.Sprintf(`{"type":"integer","minimum":1,"maximum":%d}`, maxPage))}
	waiting         = asks("wait", "How long to wait for the attempts, as 10s; a minute at most. Default: the answer comes at once.", "")
	ifMatch         = inHeader("If-Match", "The etag of the state that is to be changed.")
	idempotencyKey  = inHeader("Idempotency-Key", "A text of your own: a repeat within a day gets the first answer.")
	changesProblems = []int{http.StatusConflict, http.StatusPreconditionFailed, http.StatusUnprocessableEntity}
	bodyProblems    = []int{http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity}
)
