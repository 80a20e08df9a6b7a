// SPDX-License-Identifier: Apache-2.0

package catalogue

import "encoding/json"

// Description is what an OpenAPI document is made of.
type Description struct {
	// Title and Version name the API. Required.
	Title, Version string
	// Text describes it, in Markdown.
	Text string
	// Servers are the URLs below which the routes are. Default: "/".
	Servers []string
	// Routes are what the API answers.
	Routes []Route
	// Webhooks are the types of events that it sends.
	Webhooks []Webhook
	// Security are the ways to say who one is. A request needs one of them.
	Security []SecurityScheme
	// Schemas are those that others refer to, by name: {"$ref":"#/components/schemas/NAME"}.
	Schemas map[string]json.RawMessage
	// Problem is the schema of problem details. Default: that of RFC 9457, with errors that
	// have a pointer, a detail and a remedy.
	Problem json.RawMessage
}

// Route is a method of a path.
type Route struct {
	// Method is such as "GET". Required.
	Method string
	// Path has its variables in braces: "/endpoints/{id}". Required.
	Path string
	// ID names the operation, for programs: "createEndpoint". Required.
	ID string
	// Summary says in a line what it does. Required.
	Summary string
	// Text says more, in Markdown.
	Text string
	// Tag is the group that it is listed in.
	Tag string
	// Parameters are those of the path, all of them, of the query and of headers.
	Parameters []Parameter
	// Body is what is sent, if something is, and OtherBodies are of other types that may be
	// sent in its place.
	Body        *Content
	OtherBodies []Content
	// Answers are those that are no problems. At least one is required.
	Answers []Answer
	// Problems are the statuses that are answered with problem details (RFC 9457).
	Problems []int
	// Public reports whether anybody may ask.
	Public bool
}

// Place is where a parameter stands.
type Place string

// Places of parameters.
const (
	InPath   Place = "path"
	InQuery  Place = "query"
	InHeader Place = "header"
)

// Parameter is a parameter of a route.
type Parameter struct {
	Name string
	In   Place
	Text string
	// Required is true of all parameters in paths, whatever it says.
	Required bool
	// Schema is its JSON Schema. Default: a string.
	Schema json.RawMessage
}

// Content is a body.
type Content struct {
	// Text describes it.
	Text string
	// Types are the media types that it may have. Default: "application/json".
	Types []string
	// Schema is its JSON Schema. Default: anything.
	Schema json.RawMessage
	// Example is one, if it is JSON.
	Example json.RawMessage
	// Optional reports whether a request may lack it.
	Optional bool
}

// Answer is an answer of a route.
type Answer struct {
	Status int
	// Text says when it is given. Required.
	Text string
	// Headers are those that it has, with what they say.
	Headers map[string]string
	// Body is nil if there is none.
	Body *Content
	// Others are bodies of other types that it may have in its place.
	Others []Content
}

// Webhook is a type of event.
type Webhook struct {
	// Type is such as "items.updated". Required.
	Type string
	// Text describes it.
	Text string
	// Body is the payload. Its schema is [Schema.Open], or declared.
	Body Content
}

// SecurityScheme is a way to say who one is.
type SecurityScheme struct {
	// Name refers to it. Required.
	Name string
	// Scheme is that of the header Authorization, "bearer" or "basic"; or Header is the name of
	// another header. One of them is required.
	Scheme, Header string
	// Text describes it.
	Text string
}
