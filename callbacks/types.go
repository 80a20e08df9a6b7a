// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/catalogue"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// TypeView is a type of event as subscribers see it. What it has is the same for all of
// them: nothing in it is of somebody's objects.
type TypeView struct {
	Name        string   `json:"name"`
	Alias       string   `json:"alias,omitempty"`
	Description string   `json:"description,omitempty"`
	Resources   []string `json:"resources"`
	// Events is what an endpoint asks for to get it.
	Events string `json:"events"`
	// Schema is that of the payload in the format show. If it is learned, it says what was
	// seen until now.
	Schema  json.RawMessage `json:"schema"`
	Learned bool            `json:"learned"`
	Sample  json.RawMessage `json:"sample,omitempty"`
}

// types returns the types of events that there are.
func (c *call) types() (*catalogue.Types, error) {
	if types := c.options.EventTypes(); types != nil {
		return types, nil
	}
	return nil, queue.ErrNotOpen
}

// schemas returns the schema of a type's payload: the one for those who receive, and the
// one by which what somebody writes is checked.
func (c *call) schemas(of *catalogue.Type) (open, strict json.RawMessage, err error) {
	if of.Schema != nil {
		return of.Schema, of.Schema, nil
	}
	learned, err := c.options.Learned(c.r.Context(), of.Made)
	if err != nil {
		return nil, nil, fmt.Errorf("reading what is known of %s: %w", of.Name, err)
	}
	return learned.Open(), learned.Strict(), nil
}

// viewType returns a type with its schema and a sample.
func (c *call) viewType(of *catalogue.Type) (TypeView, error) {
	v := TypeView{
		Name: of.Name, Alias: of.Alias, Description: of.Description, Resources: of.Resources(), Events: of.Pattern(),
		Learned: of.Schema == nil, Sample: of.Sample,
	}
	open, strict, err := c.schemas(of)
	if err != nil {
		return v, err
	}
	v.Schema = open
	if v.Sample == nil {
		v.Sample = sampleOf(strict)
	}
	return v, nil
}

// sampleOf returns a value of a schema, nil for none and for one that nothing is known of.
func sampleOf(schema json.RawMessage) json.RawMessage {
	if string(schema) == "{}" {
		return nil
	}
	return catalogue.Sample(schema)
}

// maxTypesPage is when a page of types ends before its limit, in bytes of their schemas and
// samples.
const maxTypesPage = 1 << 20

func listTypes(c *call) (*answer, error) {
	values, err := parameters(c.r, "cursor", "limit")
	if err != nil {
		return nil, err
	}
	page, err := pageOf(values, maxPage)
	if err != nil {
		return nil, err
	}
	types, err := c.types()
	if err != nil {
		return nil, err
	}
	// The cursor is the name of the last type of the page before.
	all := types.All()
	at, found := slices.BinarySearchFunc(all, string(page.Cursor), func(of catalogue.Type, name string) int { return strings.Compare(of.Name, name) })
	if found {
		at++
	}
	listed, size := List[TypeView]{Data: []TypeView{}}, 0
	for ; at < len(all); at++ {
		if len(listed.Data) == page.Limit || size > maxTypesPage {
			listed.Next = listed.Data[len(listed.Data)-1].Name
			break
		}
		v, err := c.viewType(&all[at])
		if err != nil {
			return nil, err
		}
		listed.Data = append(listed.Data, v)
		size += len(v.Schema) + len(v.Sample)
	}
	return ok(listed)
}

// typeNamed returns the type that the path names.
func (c *call) typeNamed() (catalogue.Type, error) {
	types, err := c.types()
	if err != nil {
		return catalogue.Type{}, err
	}
	of, found := types.Find(c.values["type"])
	if !found {
		return of, queue.ErrNotFound
	}
	return of, nil
}

func showType(c *call) (*answer, error) {
	if _, err := parameters(c.r); err != nil {
		return nil, err
	}
	of, err := c.typeNamed()
	if err != nil {
		return nil, err
	}
	v, err := c.viewType(&of)
	if err != nil {
		return nil, err
	}
	return ok(v)
}

// showOpenAPI answers with a description of the API that is at work, and of what it sends.
func showOpenAPI(c *call) (*answer, error) {
	if _, err := parameters(c.r); err != nil {
		return nil, err
	}
	text, err := c.openAPI()
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, body: Raw{text, typeJSON}}, nil
}

// openAPI returns the document of the server's routes, and of the types of events.
func (c *call) openAPI() ([]byte, error) {
	types, err := c.types()
	if err != nil {
		return nil, err
	}
	d := catalogue.Description{
		Title: "Webhooks", Version: "1", Routes: c.Server.describe(), Schemas: c.Server.schemas(), Problem: problemSchema, Security: c.options.Security,
		Text: "By this API subscribers manage their endpoints, and see what came of them. What the endpoints get is described under webhooks, " +
			"in the payload format show; other formats have it within.",
	}
	if base := strings.TrimSuffix(c.options.Base(c.r), "/"); base != "" {
		d.Servers = []string{base}
	}
	for _, of := range types.All() {
		if of.IsGroup() {
			continue
		}
		v, err := c.viewType(&of)
		if err != nil {
			return nil, err
		}
		d.Webhooks = append(d.Webhooks, catalogue.Webhook{Type: of.Name, Text: of.Description, Body: catalogue.Content{Schema: v.Schema, Example: v.Sample}})
	}
	return catalogue.Build(d)
}
