// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/internal/jsonpath"
)

// Source is the part of an exchange in which a value stands.
type Source int

// The sources of values.
const (
	FromResponse Source = iota // a path in the response's body, or in a Show
	FromRequest                // a path in the request's body
	FromQuery                  // a parameter of the request's query
	FromHeader                 // a field of the request's header
	FromPath                   // a placeholder of the rule's path
	FromLocation               // the response's Location
)

// Value is a place in an exchange, and not what stands there: `a.b` or
// `response:a.b` in the response or the Show, `request:a.b` in the request's body,
// `query:name`, `header:Name`, `:name` in the path, or `location` for the response's
// Location; or what `split:` or `segment:` takes of it.
// The zero Value is no place. Values can be compared.
type Value struct {
	// Source is where to look, and Name what to look for there.
	Source Source
	Name   string

	text string
	// takes is what is taken of the text that stands there; see taking.
	takes string
}

// MaxKeys limits how many objects one exchange can name. Those of a larger one
// are found by looking at all objects of the resource.
const MaxKeys = 10_000

// locationValue is the word for the response's Location.
const locationValue = "location"

// String returns the value as it is written.
func (v Value) String() string { return v.text }

// IsZero reports whether v is the zero Value.
func (v Value) IsZero() bool { return v == Value{} }

// parseValue parses a value that is all that stands at its place.
func parseValue(text string) (Value, error) {
	v, err := parsePlace(text)
	if err == nil && (v.Takes() || v.isNames()) {
		err = fmt.Errorf("%s: %s, %s and %s stand before the places of ids, and nowhere else", v, splitWord, segmentWord, keysWord)
	}
	return v, err
}

// parsePlace parses a value, which may be a part of what stands at its place.
func parsePlace(text string) (Value, error) {
	rest, takes, err := taking(text)
	if err != nil {
		return Value{}, err
	}
	if object, found := strings.CutPrefix(rest, keysWord+":"); found {
		v, err := parseNames(object)
		v.text, v.takes = text, takes
		return v, err
	}
	v, err := parseWhole(rest)
	v.text, v.takes = text, takes
	return v, err
}

// parseWhole parses a value without such words before it.
func parseWhole(text string) (Value, error) {
	v := Value{Name: text, text: text}
	prefix, rest, found := strings.Cut(text, ":")
	switch {
	case text == locationValue:
		v.Source = FromLocation
		return v, nil
	case found && prefix == "":
		v.Source, v.Name = FromPath, rest
		if !isName(rest) {
			return v, fmt.Errorf("%q: after the colon stands the name of a placeholder, as :id", text)
		}
		return v, nil
	case found && prefix == "response":
		v.Name = rest
	case found && prefix == "request":
		v.Source, v.Name = FromRequest, rest
	case found && prefix == "query":
		v.Source, v.Name = FromQuery, rest
	case found && prefix == "header":
		v.Source, v.Name = FromHeader, rest
	case found && isName(prefix) && !strings.ContainsAny(prefix, ".#"):
		return v, fmt.Errorf("%q: there is no %q to take a value from; write request:PATH, response:PATH, query:NAME, header:NAME, :NAME, "+
			"or a path in the response, where a colon is written with a backslash before it", text, prefix)
	}
	if v.Name == "" {
		return v, fmt.Errorf("%q names nothing", text)
	}
	if v.Source == FromResponse || v.Source == FromRequest {
		return v, checkFieldPath(v.Name)
	}
	return v, v.seen()
}

// ParseValues parses values that are all that stands at their places.
func ParseValues(texts []string) ([]Value, error) {
	return parseAll(texts, parseValue)
}

func parseAll(texts []string, parse func(string) (Value, error)) ([]Value, error) {
	values := make([]Value, 0, len(texts))
	for _, text := range texts {
		v, err := parse(text)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

// InRequest reports whether the value is known before the request is forwarded.
func (v Value) InRequest() bool {
	return v.Source != FromResponse && v.Source != FromLocation
}

// inObject reports whether the value is a member of an object, so that an array in
// its place is a batch of such objects.
func (v Value) inObject() bool {
	steps, err := jsonpath.Parse(v.Name)
	if v.Source != FromRequest || err != nil || steps[0].Kind != jsonpath.Name {
		return false
	}
	_, isIndex := steps[0].Index()
	return !isIndex
}

// credentialHeaders are the headers whose values must not reach the disk.
var credentialHeaders = []string{"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie"}

// storable refuses the credentials of callers.
func (v Value) storable() error {
	if v.Source == FromHeader && slices.Contains(credentialHeaders, http.CanonicalHeaderKey(v.Name)) {
		return fmt.Errorf("%s is the caller's credential, which is never stored", v)
	}
	return nil
}

var errXPath = errors.New("this looks like XPath; XML is read with the same paths as JSON, as Envelope.Body.item.id, and an attribute as -name")

// checkFieldPath refuses a path that is not that of a field. gjson's modifiers
// transform a document rather than name a field, and a mistyped one silently
// matches nothing.
func checkFieldPath(path string) error {
	switch {
	case strings.HasPrefix(path, "/"), strings.Contains(path, "//"), strings.Contains(path, "/@"):
		return fmt.Errorf("path %q: %w", path, errXPath)
	case jsonpath.HasModifier(path):
		return fmt.Errorf("path %q: an '@' or '!' that begins a name stands behind a backslash, as does a dot within a name: "+
			"`\\@odata\\.etag`; modifiers of gjson are not allowed in the path of a field", path)
	}
	return nil
}
