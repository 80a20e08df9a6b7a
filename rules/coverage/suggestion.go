// SPDX-License-Identifier: Apache-2.0

package coverage

import (
	"strings"

	"github.com/jinzhu/inflection"
)

// Suggestion is a draft of the configuration that would catch a kind of
// request. It is made of the request alone, so an operator has to look at it.
type Suggestion struct {
	// Resource is the name of the resource, as in "resource orders"; empty if
	// the path does not show one.
	Resource string `json:"resource,omitempty"`
	// Show is the resource's show, as "show GET /v1/orders/:id"; empty if it is
	// the default.
	Show string `json:"show,omitempty"`
	// Rule is the rule within it, as "update PATCH /v1/orders/:id".
	Rule string `json:"rule,omitempty"`
}

// suggest drafts a rule for a kind of request.
func suggest(method, template string) Suggestion {
	segments := strings.Split(strings.TrimPrefix(template, "/"), "/")
	last := len(segments) - 1
	if segments[last] == "*" || method == "OTHER" || template == "/" {
		return Suggestion{}
	}
	object := -1 // where the id of the object stands
	for i, segment := range segments {
		if isPlaceholder(segment) {
			object = i
		}
	}
	collection := object - 1
	create := method == "POST" && !isPlaceholder(segments[last]) && (object < 0 || isPlural(segments[last]))
	if create {
		object, collection = last+1, last
	}
	if collection < 0 || isPlaceholder(segments[collection]) {
		return Suggestion{}
	}
	name := segments[collection]
	segments = rename(segments, object)
	show := "/" + strings.Join(segments[:collection+1], "/") + "/:id"
	suggestion := Suggestion{
		Resource: name,
		Rule:     kindOf(method, create, object == last) + " " + method + " /" + strings.Join(segments, "/"),
	}
	if show != "/"+name+"/:id" {
		suggestion.Show = "show GET " + show
	}
	return suggestion
}

// rename names the placeholders: the object's own is ":id", and those before it
// are named for what they identify, as ":orderId".
func rename(segments []string, object int) []string {
	named := make([]string, len(segments))
	for i, segment := range segments {
		named[i] = segment
		if !isPlaceholder(segment) {
			continue
		}
		named[i] = ":id"
		if i != object && i > 0 && isName(segments[i-1]) {
			named[i] = ":" + inflection.Singular(segments[i-1]) + "Id"
		} else if i != object {
			named[i] = ":parent" + strings.TrimPrefix(segment, ":")
		}
	}
	return named
}

func kindOf(method string, create, object bool) string {
	switch {
	case create:
		return "create"
	case method == "DELETE" && object:
		return "delete"
	}
	return "update"
}

func isPlaceholder(segment string) bool { return strings.HasPrefix(segment, ":") }

// isPlural reports whether a segment names a collection, so that a POST to it
// creates an object rather than acts on the object before it.
func isPlural(segment string) bool {
	return inflection.Singular(segment) != segment
}

// isName reports whether a segment can be the name of a placeholder.
func isName(segment string) bool {
	return strings.Trim(strings.ToLower(segment), "abcdefghijklmnopqrstuvwxyz_") == ""
}
