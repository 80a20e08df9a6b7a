// SPDX-License-Identifier: Apache-2.0

package syntax

import (
	"net/http"
)

// Request is a request to the API.
type Request struct {
	// Method is the HTTP method. Default: `GET`.
	Method string `json:"method,omitempty"`

	// Path is the path, in which `:name` stands for one segment, or beside text for
	// a part of it, and `:name*` for all segments up to the end; a value in braces
	// stands for one segment. It may be followed by a query, in which `{name}` stands
	// for a value.
	Path string `json:"path"`

	// Header holds header fields to send; `{name}` stands for a value.
	Header map[string]string `json:"header,omitempty"`

	// Body is sent with the request; `{name}` stands for a value, written as
	// JSON, XML or form text needs it. A brace that is none of these is
	// written as `\{`. Default: none.
	Body string `json:"body,omitempty"`
}

// LocationPath is the path of a request whose target is the Location of the
// response.
const LocationPath = "{location}"

// String returns the method and the path, as "GET /items/:id".
func (r Request) String() string {
	if r.Method == "" {
		return http.MethodGet + " " + r.Path
	}
	return r.Method + " " + r.Path
}

// Query is a request whose answer names objects.
type Query struct {
	// Request is the request. Its placeholders stand for values of the request
	// that changes something: `:name` for one of the rule's path, and in
	// braces any, such as `{request:reference}` or `{header:Idempotency-Key}`;
	// for `later`, those of the response, too, such as `{response:job.id}`.
	Request Request `json:"request"`

	// IDs is the path at which the objects' ids stand in the answer, such as
	// `transactions.#.id`.
	IDs string `json:"ids"`

	// Keys are where the parts of the objects' keys before the last stand, in the
	// order of the resource's Show: paths in the answer, such as
	// `transactions.#.account`, which are paired with the ids by the element of
	// the array, or placeholders of the request. Default: the placeholders of
	// those names in the request.
	Keys []string `json:"keys,omitempty"`
}
