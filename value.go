// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// source is where in an exchange a value stands.
type source int

const (
	fromResponse source = iota // a path in the response's body, or in a Show
	fromRequest                // a path in the request's body
	fromQuery                  // a parameter of the request's query
	fromHeader                 // a field of the request's header
	fromPath                   // a placeholder of the rule's path
	fromLocation               // the response's Location
)

// value says where a value stands: `a.b` in the response or the Show,
// `request:a.b` in the request's body, `query:name`, `header:Name`, `:name` in
// the path, `location` for the response's Location.
type value struct {
	source source
	name   string
	text   string
}

// locationValue is the word for the response's Location.
const locationValue = "location"

func parseValue(text string) (value, error) {
	v := value{name: text, text: text}
	prefix, rest, found := strings.Cut(text, ":")
	switch {
	case text == locationValue:
		v.source = fromLocation
		return v, nil
	case found && prefix == "":
		v.source, v.name = fromPath, rest
		if !isName(rest) {
			return v, fmt.Errorf("%q: after the colon stands the name of a placeholder, as :id", text)
		}
		return v, nil
	case found && prefix == "request":
		v.source, v.name = fromRequest, rest
	case found && prefix == "query":
		v.source, v.name = fromQuery, rest
	case found && prefix == "header":
		v.source, v.name = fromHeader, rest
	case found && isName(prefix) && !strings.ContainsAny(prefix, ".#"):
		return v, fmt.Errorf("%q: there is no %q to take a value from; write request:PATH, query:NAME, header:NAME, :NAME, "+
			"or a path in the response, where a colon is written with a backslash before it", text, prefix)
	}
	if v.name == "" {
		return v, fmt.Errorf("%q names nothing", text)
	}
	if v.source == fromResponse || v.source == fromRequest {
		return v, checkFieldPath(v.name)
	}
	return v, nil
}

func parseValues(texts []string) ([]value, error) {
	values := make([]value, 0, len(texts))
	for _, text := range texts {
		v, err := parseValue(text)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

// inRequest tells whether the value is known before the request is forwarded.
func (v value) inRequest() bool {
	return v.source != fromResponse && v.source != fromLocation
}

// credentialHeaders hold what must not reach the disk.
var credentialHeaders = []string{"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie"}

// storable refuses values that a caller proves itself with.
func (v value) storable() error {
	if v.source == fromHeader && slices.Contains(credentialHeaders, http.CanonicalHeaderKey(v.name)) {
		return fmt.Errorf("%s is the caller's credential, which is never stored", v.text)
	}
	return nil
}

var errXPath = errors.New("this looks like XPath; XML is read with the same paths as JSON, as Envelope.Body.item.id, and an attribute as -name")

// checkFieldPath refuses what is no path of a field. gjson's modifiers
// transform a document rather than name a field, and a mistyped one matches
// nothing without a word.
func checkFieldPath(path string) error {
	switch {
	case strings.HasPrefix(path, "/"), strings.Contains(path, "//"), strings.Contains(path, "/@"):
		return fmt.Errorf("path %q: %w", path, errXPath)
	case strings.ContainsAny(path, "@!"):
		return fmt.Errorf("path %q: '@' and '!' are not allowed in the path of a field", path)
	}
	return nil
}
