// SPDX-License-Identifier: Apache-2.0

// Package rpcapi is an example of a legacy API that speaks JSON-RPC 2.0: every
// request is a POST to /rpc, and only its body says what it is about.
//
//	POST /rpc {"jsonrpc":"2.0","id":1,"method":"item.create","params":{"name":"Bicycle"}}
//	          {"jsonrpc":"2.0","id":1,"result":{"id":"1","name":"Bicycle",…}}
//
// Its methods are item.create, item.get, item.update, item.delete and
// item.list. Errors are answered with 200, as usual in JSON-RPC. An array may
// hold several calls. It keeps everything in memory and knows nothing of
// webhooks.
package rpcapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/examples/internal/stock"
)

// maxBody limits a request's body, in bytes.
const maxBody = 1 << 20

// Codes of errors: those of JSON-RPC, and one of this API's own.
const (
	codeParse    = -32700
	codeRequest  = -32600
	codeMethod   = -32601
	codeParams   = -32602
	codeNotFound = 404
)

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
	mux.HandleFunc("POST /rpc", a.serve)
	return mux
}

type call struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
}

type answer struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  any             `json:"result,omitempty"`
	Error   *callError      `json:"error,omitempty"`
}

type callError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (a *API) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	var response any
	if body = bytes.TrimSpace(body); bytes.HasPrefix(body, []byte("[")) {
		response = a.batch(body)
	} else if one := a.one(body); one != nil {
		response = one
	}
	if response == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	// The client may be gone; there is nobody else to inform.
	_ = json.NewEncoder(w).Encode(response)
}

// batch answers several calls; nil if all are notifications.
func (a *API) batch(body []byte) any {
	var calls []json.RawMessage
	if err := json.Unmarshal(body, &calls); err != nil || len(calls) == 0 {
		return failure(nil, codeParse, "this is no batch of calls")
	}
	var answers []*answer
	for _, c := range calls {
		if one := a.one(c); one != nil {
			answers = append(answers, one)
		}
	}
	if answers == nil {
		return nil
	}
	return answers
}

// one answers a call; nil for a notification, which has no id.
func (a *API) one(body []byte) *answer {
	var c call
	if err := json.Unmarshal(body, &c); err != nil {
		return failure(nil, codeParse, "this is no JSON-RPC")
	}
	if c.Version != "2.0" || c.Method == "" {
		return failure(c.ID, codeRequest, "this is no JSON-RPC 2.0")
	}
	result, problem := a.call(c.Method, c.Params)
	switch {
	case c.ID == nil:
		return nil
	case problem != nil:
		return failure(c.ID, problem.Code, problem.Message)
	}
	return &answer{Version: "2.0", ID: c.ID, Result: result}
}

func (a *API) call(method string, raw json.RawMessage) (any, *callError) {
	var params struct {
		ID string `json:"id"`
		stock.Fields
	}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &params); err != nil {
			return nil, &callError{codeParams, "these are no parameters of " + method}
		}
	}
	var item Item
	var err error
	switch method {
	case "item.create":
		item, err = a.stock.Create(params.Fields)
	case "item.get":
		item, err = a.stock.Get(params.ID)
	case "item.update":
		item, err = a.stock.Update(params.ID, params.Fields)
	case "item.delete":
		item, err = a.stock.Delete(params.ID)
	case "item.list":
		return a.stock.List(), nil
	default:
		return nil, &callError{codeMethod, "there is no method " + method}
	}
	switch {
	case errors.Is(err, stock.ErrNotFound):
		return nil, &callError{codeNotFound, err.Error()}
	case err != nil:
		return nil, &callError{codeParams, err.Error()}
	case method == "item.delete":
		return map[string]any{"id": item.ID, "deleted": true}, nil
	}
	return item, nil
}

func failure(id json.RawMessage, code int, message string) *answer {
	if id == nil {
		id = json.RawMessage("null")
	}
	return &answer{Version: "2.0", ID: id, Error: &callError{code, message}}
}
