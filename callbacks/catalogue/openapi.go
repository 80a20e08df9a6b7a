// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"strings"
)

// problemSchema is that of problem details.
const problemSchema = `{"type":"object","required":["type","title","status"],"properties":{
	"type":{"type":"string","format":"uri-reference"},"title":{"type":"string"},"status":{"type":"integer","minimum":400,"maximum":599},
	"detail":{"type":"string"},"instance":{"type":"string","format":"uri-reference"},
	"errors":{"type":"array","items":{"type":"object","required":["detail"],"properties":{
		"pointer":{"type":"string","description":"a JSON Pointer to what is wrong"},"detail":{"type":"string"},"remedy":{"type":"string"}}}}}}`

// problemName is the component of [problemSchema].
const problemName = "Problem"

// object is an object of the document.
type object = map[string]any

// Build returns the OpenAPI 3.1 document of a description: the same bytes for the same
// description. It fails with what is missing, double or contradictory in it.
func Build(d Description) ([]byte, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	document := object{
		"openapi":           "3.1.0",
		"jsonSchemaDialect": Dialect,
		"info":              d.info(),
		"servers":           d.servers(),
		"paths":             d.paths(),
		"components":        d.components(),
	}
	if len(d.Webhooks) > 0 {
		document["webhooks"] = d.webhooks()
	}
	if len(d.Security) > 0 {
		document["security"] = d.security()
	}
	// Objects are maps, whose members are sorted: that makes the bytes the same.
	return json.Marshal(document)
}

func (d Description) info() object {
	return with(object{"title": d.Title, "version": d.Version}, "description", d.Text)
}

func (d Description) servers() []object {
	servers := []object{}
	for _, url := range d.Servers {
		servers = append(servers, object{"url": url})
	}
	if len(servers) == 0 {
		servers = append(servers, object{"url": "/"})
	}
	return servers
}

func (d Description) paths() object {
	paths := make(object)
	for _, r := range d.Routes {
		path, _ := paths[r.Path].(object)
		if path == nil {
			path = make(object)
			paths[r.Path] = path
		}
		path[strings.ToLower(r.Method)] = r.operation()
	}
	return paths
}

func (r Route) operation() object {
	answers := make(object)
	for _, a := range r.Answers {
		answers[strconv.Itoa(a.Status)] = a.document()
	}
	for _, status := range r.Problems {
		answers[strconv.Itoa(status)] = object{
			"description": http.StatusText(status),
			"content":     object{"application/problem+json": object{"schema": object{"$ref": "#/components/schemas/" + problemName}}},
		}
	}
	operation := with(object{"operationId": r.ID, "summary": r.Summary, "responses": answers}, "description", r.Text)
	if r.Tag != "" {
		operation["tags"] = []string{r.Tag}
	}
	if len(r.Parameters) > 0 {
		parameters := make([]object, len(r.Parameters))
		for i, p := range r.Parameters {
			parameters[i] = p.document()
		}
		operation["parameters"] = parameters
	}
	if r.Body != nil {
		body := r.Body.request()
		for _, other := range r.OtherBodies {
			maps.Copy(body["content"].(object), other.document())
		}
		operation["requestBody"] = body
	}
	if r.Public {
		operation["security"] = []object{}
	}
	return operation
}

func (p Parameter) document() object {
	document := object{"name": p.Name, "in": string(p.In), "schema": orElse(p.Schema, `{"type":"string"}`)}
	if p.Required || p.In == InPath {
		document["required"] = true
	}
	return with(document, "description", p.Text)
}

func (c Content) document() object {
	media := object{"schema": orElse(c.Schema, `{}`)}
	if c.Example != nil {
		media["example"] = c.Example
	}
	types := make(object)
	for _, name := range c.Types {
		types[name] = media
	}
	if len(types) == 0 {
		types["application/json"] = media
	}
	return types
}

func (c Content) request() object {
	return with(object{"content": c.document(), "required": !c.Optional}, "description", c.Text)
}

func (a Answer) document() object {
	document := object{"description": a.Text}
	if a.Body != nil {
		content := a.Body.document()
		for _, other := range a.Others {
			maps.Copy(content, other.document())
		}
		document["content"] = content
	}
	if len(a.Headers) > 0 {
		headers := make(object)
		for name, text := range a.Headers {
			headers[name] = with(object{"schema": object{"type": "string"}}, "description", text)
		}
		document["headers"] = headers
	}
	return document
}

func (d Description) components() object {
	schemas := object{problemName: orElse(d.Problem, problemSchema)}
	for name, schema := range d.Schemas {
		schemas[name] = schema
	}
	components := object{"schemas": schemas}
	if len(d.Security) > 0 {
		schemes := make(object)
		for _, s := range d.Security {
			schemes[s.Name] = s.document()
		}
		components["securitySchemes"] = schemes
	}
	if len(d.Webhooks) > 0 {
		components["parameters"] = webhookParameters()
	}
	return components
}

func (s SecurityScheme) document() object {
	if s.Header != "" {
		return with(object{"type": "apiKey", "in": "header", "name": s.Header}, "description", s.Text)
	}
	return with(object{"type": "http", "scheme": s.Scheme}, "description", s.Text)
}

// security says that one of the schemes is enough.
func (d Description) security() []object {
	var either []object
	for _, s := range d.Security {
		either = append(either, object{s.Name: []string{}})
	}
	return either
}

// with adds a text, if there is one.
func with(o object, name, text string) object {
	if text != "" {
		o[name] = text
	}
	return o
}

func orElse(schema json.RawMessage, other string) json.RawMessage {
	if schema == nil {
		return json.RawMessage(other)
	}
	return schema
}
