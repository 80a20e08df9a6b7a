// SPDX-License-Identifier: Apache-2.0

// Package soapapi is an example of a legacy API that speaks SOAP 1.1: every
// request is a POST to /soap, whose SOAPAction and body say what is requested.
// Its operations are CreateItem, GetItem, UpdateItem, DeleteItem and ListItems:
//
//	POST /soap
//	SOAPAction: "urn:example:items#GetItem"
//
//	<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>
//	  <GetItem xmlns="urn:example:items"><id>1</id></GetItem>
//	</soap:Body></soap:Envelope>
//
// is answered with a GetItemResponse that has the item, or with 500 and a
// Fault. It keeps everything in memory and knows nothing of webhooks.
package soapapi

import (
	"encoding/xml"
	"errors"
	"net/http"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/examples/internal/stock"
)

// maxBody limits a request's body, in bytes.
const maxBody = 1 << 20

// Namespaces of the messages.
const (
	envelopeSpace = "http://schemas.xmlsoap.org/soap/envelope/"
	itemSpace     = "urn:example:items"
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
	mux.HandleFunc("POST /soap", a.serve)
	return mux
}

// request is an envelope with one operation.
type request struct {
	XMLName xml.Name `xml:"http://schemas.xmlsoap.org/soap/envelope/ Envelope"`
	Body    struct {
		Operation operation `xml:",any"`
	} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Body"`
}

type operation struct {
	XMLName xml.Name
	ID      string  `xml:"id"`
	Name    *string `xml:"name"`
	State   *string `xml:"state"`
	Amount  *int64  `xml:"amount"`
}

// response is an envelope with an answer or a fault.
type response struct {
	XMLName xml.Name `xml:"soap:Envelope"`
	Space   string   `xml:"xmlns:soap,attr"`
	Body    struct {
		Answer any
	} `xml:"soap:Body"`
}

type answer struct {
	XMLName xml.Name
	Space   string `xml:"xmlns:m,attr"`
	Items   []item `xml:"m:item"`
	Deleted *bool  `xml:"m:deleted"`
}

type item struct {
	ID      string `xml:"m:id"`
	Name    string `xml:"m:name"`
	State   string `xml:"m:state"`
	Amount  int64  `xml:"m:amount"`
	Version int64  `xml:"m:version"`
}

type fault struct {
	XMLName xml.Name `xml:"soap:Fault"`
	Code    string   `xml:"faultcode"`
	Text    string   `xml:"faultstring"`
}

func (a *API) serve(w http.ResponseWriter, r *http.Request) {
	var asked request
	if err := xml.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&asked); err != nil {
		write(w, http.StatusInternalServerError, fault{Code: "soap:Client", Text: "this is no SOAP envelope"})
		return
	}
	name := asked.Body.Operation.XMLName.Local
	if action := strings.Trim(r.Header.Get("SOAPAction"), `"`); action != "" && action != itemSpace+"#"+name {
		write(w, http.StatusInternalServerError, fault{Code: "soap:Client", Text: "SOAPAction and body tell different operations"})
		return
	}
	result, err := a.do(name, asked.Body.Operation)
	if err != nil {
		write(w, http.StatusInternalServerError, fault{Code: "soap:Client", Text: err.Error()})
		return
	}
	result.XMLName.Local, result.Space = "m:"+name+"Response", itemSpace
	write(w, http.StatusOK, result)
}

func (a *API) do(name string, asked operation) (answer, error) {
	fields := stock.Fields{Name: asked.Name, State: asked.State, Amount: asked.Amount}
	var one Item
	var err error
	switch name {
	case "CreateItem":
		one, err = a.stock.Create(fields)
	case "GetItem":
		one, err = a.stock.Get(asked.ID)
	case "UpdateItem":
		one, err = a.stock.Update(asked.ID, fields)
	case "DeleteItem":
		deleted := true
		_, err = a.stock.Delete(asked.ID)
		return answer{Deleted: &deleted}, err
	case "ListItems":
		var all answer
		for _, one := range a.stock.List() {
			all.Items = append(all.Items, item(one))
		}
		return all, nil
	default:
		return answer{}, errors.New("there is no such operation")
	}
	return answer{Items: []item{item(one)}}, err
}

func write(w http.ResponseWriter, status int, body any) {
	out := response{Space: envelopeSpace}
	out.Body.Answer = body
	text, err := xml.Marshal(out)
	if err != nil {
		http.Error(w, "cannot answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.WriteHeader(status)
	// The client may be gone; there is nobody else to inform.
	_, _ = w.Write(append([]byte(xml.Header), text...))
}
