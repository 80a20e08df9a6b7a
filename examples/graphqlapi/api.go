// SPDX-License-Identifier: Apache-2.0

// Package graphqlapi is an example of a legacy API that speaks GraphQL: every
// request is a POST to /graphql with a document that says what is requested.
//
//	type Query    { item(id: ID!): Item  items: [Item!]! }
//	type Mutation {
//	  createItem(name: String!, state: String, amount: Int): Item
//	  updateItem(id: ID!, name: String, state: String, amount: Int): Item
//	  deleteItem(id: ID!): Item
//	}
//	type Item     { id: ID!  name: String!  state: String!  amount: Int!  version: Int! }
//
// The fields of an item may also be in an argument "input". Errors are answered
// with 200, as usual in GraphQL. It understands no fragments, directives or
// introspection. It keeps everything in memory and knows nothing of webhooks.
package graphqlapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/examples/internal/stock"
)

// maxBody limits a request's body, in bytes.
const maxBody = 1 << 20

// Item is an item of the API.
type Item = stock.Item

// Change is a change that was made, as the API records it.
type Change = stock.Change

// API is the service.
type API struct {
	stock *stock.Stock
}

// New returns an empty API.
func New() *API { return &API{stock: stock.New()} }

// Changes returns every change that was made, in order.
func (a *API) Changes() []Change { return a.stock.Changes() }

// Handler returns the API's handler.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /graphql", a.serve)
	return mux
}

type request struct {
	Query         string         `json:"query"`
	OperationName string         `json:"operationName"`
	Variables     map[string]any `json:"variables"`
}

type response struct {
	Data   map[string]any `json:"data"`
	Errors []problem      `json:"errors,omitempty"`
}

type problem struct {
	Message string   `json:"message"`
	Path    []string `json:"path,omitempty"`
}

func (a *API) serve(w http.ResponseWriter, r *http.Request) {
	var asked request
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.UseNumber()
	status, answer := http.StatusOK, response{}
	if err := decoder.Decode(&asked); err != nil {
		status, answer.Errors = http.StatusBadRequest, []problem{{Message: "this is no GraphQL request"}}
	} else if o, err := chosen(asked); err != nil {
		answer.Errors = []problem{{Message: err.Error()}}
	} else {
		answer = a.execute(o, asked.Variables)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The client may be gone; there is nobody else to inform.
	_ = json.NewEncoder(w).Encode(answer)
}

// chosen returns the operation that a request selects.
func chosen(asked request) (operation, error) {
	d, err := parse(asked.Query)
	if err != nil {
		return operation{}, err
	}
	for _, o := range d.operations {
		if o.name == asked.OperationName || asked.OperationName == "" && len(d.operations) == 1 {
			return o, nil
		}
	}
	return operation{}, errors.New("operationName names no operation of the document")
}

// execute executes the fields of an operation one after the other.
func (a *API) execute(o operation, variables map[string]any) response {
	answer := response{Data: make(map[string]any)}
	for _, f := range o.fields {
		result, err := a.field(o.mutation, f, variables)
		if err != nil {
			answer.Errors = append(answer.Errors, problem{err.Error(), []string{f.alias}})
			result = nil
		}
		answer.Data[f.alias] = result
	}
	return answer
}

func (a *API) field(mutation bool, f field, variables map[string]any) (any, error) {
	// A selection that cannot be answered is not executed either.
	if _, err := pick(Item{}, f.fields); err != nil {
		return nil, err
	}
	arguments, _ := resolve(f.arguments, variables).(map[string]any)
	if input, ok := arguments["input"].(map[string]any); ok {
		for name, value := range input {
			arguments[name] = value
		}
	}
	id := fmt.Sprint(arguments["id"])
	fields, err := fieldsOf(arguments)
	if err != nil {
		return nil, err
	}
	var item Item
	switch {
	case mutation && f.name == "createItem":
		item, err = a.stock.Create(fields)
	case mutation && f.name == "updateItem":
		item, err = a.stock.Update(id, fields)
	case mutation && f.name == "deleteItem":
		item, err = a.stock.Delete(id)
	case !mutation && f.name == "item":
		item, err = a.stock.Get(id)
	case !mutation && f.name == "items":
		list := []any{}
		for _, item := range a.stock.List() {
			one, err := pick(item, f.fields)
			if err != nil {
				return nil, err
			}
			list = append(list, one)
		}
		return list, nil
	default:
		return nil, errors.New("there is no field " + f.name)
	}
	if err != nil {
		return nil, err
	}
	return pick(item, f.fields)
}

// resolve replaces variables by their values.
func resolve(value any, variables map[string]any) any {
	switch value := value.(type) {
	case variable:
		return variables[string(value)]
	case map[string]any:
		resolved := make(map[string]any, len(value))
		for name, member := range value {
			resolved[name] = resolve(member, variables)
		}
		return resolved
	}
	return value
}

func fieldsOf(arguments map[string]any) (fields stock.Fields, err error) {
	delete(arguments, "input")
	text, err := json.Marshal(arguments)
	if err != nil {
		return fields, err
	}
	if err := json.Unmarshal(text, &fields); err != nil {
		return fields, errors.New("an argument has the wrong type")
	}
	return fields, nil
}

// pick returns the selected fields of an item.
func pick(item Item, selected []field) (map[string]any, error) {
	all := map[string]any{
		"id": item.ID, "name": item.Name, "state": item.State, "amount": item.Amount, "version": item.Version, "__typename": "Item",
	}
	picked := make(map[string]any, len(selected))
	for _, f := range selected {
		value, ok := all[f.name]
		if !ok {
			return nil, errors.New("an Item has no field " + f.name)
		}
		picked[f.alias] = value
	}
	return picked, nil
}
