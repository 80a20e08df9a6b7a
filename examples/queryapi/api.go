// SPDX-License-Identifier: Apache-2.0

// Package queryapi is an example of a legacy API with a single address. A
// parameter, in the query or in a form, says what is requested:
//
//	POST /api?action=create         name=Bicycle&amount=12500
//	POST /api?action=update&id=1    state=sold
//	POST /api                       action=delete&id=1
//	GET  /api?action=get&id=1
//	GET  /api?action=list
//
// Like many APIs of its age, it also deletes by GET, answers everything with
// 200, and calls its JSON text/html. It keeps everything in memory and knows
// nothing of webhooks.
package queryapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"

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
	mux.HandleFunc("GET /api", a.serve)
	mux.HandleFunc("POST /api", a.serve)
	return mux
}

type answer struct {
	Status  string `json:"status"` // "ok" or "error"
	Message string `json:"message,omitempty"`
	Item    *Item  `json:"item,omitempty"`
	Items   []Item `json:"items,omitempty"`
}

func (a *API) serve(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	response := answer{Status: "ok"}
	if err := r.ParseForm(); err != nil {
		response = answer{Status: "error", Message: "this is no form"}
	} else if err := a.do(r.Method, r.Form, &response); err != nil {
		response = answer{Status: "error", Message: err.Error()}
	}
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	// The client may be gone; there is nobody else to inform.
	_ = json.NewEncoder(w).Encode(response)
}

func (a *API) do(method string, form url.Values, response *answer) error {
	action, id := form.Get("action"), form.Get("id")
	if method == http.MethodGet && (action == "create" || action == "update") {
		return errors.New(action + " needs POST")
	}
	fields, err := fieldsOf(form)
	if err != nil {
		return err
	}
	var item Item
	switch action {
	case "create":
		item, err = a.stock.Create(fields)
	case "update":
		item, err = a.stock.Update(id, fields)
	case "delete":
		_, err = a.stock.Delete(id)
		return err
	case "get":
		item, err = a.stock.Get(id)
	case "list":
		response.Items = a.stock.List()
		return nil
	default:
		return errors.New("there is no such action")
	}
	response.Item = &item
	return err
}

func fieldsOf(form url.Values) (fields stock.Fields, err error) {
	text := func(name string) *string {
		if !form.Has(name) {
			return nil
		}
		value := form.Get(name)
		return &value
	}
	fields.Name, fields.State = text("name"), text("state")
	if amount := text("amount"); amount != nil {
		number, err := strconv.ParseInt(*amount, 10, 64)
		if err != nil {
			return fields, errors.New("amount is no number")
		}
		fields.Amount = &number
	}
	return fields, nil
}
