// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// defaultWithin is how long an accepted request is waited for.
const defaultWithin = 10 * time.Minute

// Query is a compiled [Listing]. That it is to be asked is a mark like any
// other, so that a crash does not lose it: the mark's key has a resource name
// of its own, and the values of the request's placeholders for an id.
type Query struct {
	Name    string
	Request Template
	// Values tells where the placeholders' values stand; a zero value for a
	// part of the object's own key.
	Values []Value
	IDs    string
	// Resource is the resource of the objects it lists.
	Resource *Resource
}

// compileQuery compiles a listing that a rule asks for. With ahead, its
// values must be known before there is a response.
func compileQuery(declared *syntax.Query, r *Rule, prefix string, ahead bool) (*Query, error) {
	made := &Query{IDs: declared.IDs}
	var err error
	if made.Request, err = compileTemplate(declared.Request); err != nil {
		return nil, fmt.Errorf("%s: %w", declared.Request, err)
	}
	if declared.IDs == "" {
		return nil, errors.New("after the request stands the path of the ids in its answer, as transactions.#.id")
	}
	if err := checkFieldPath(declared.IDs); err != nil {
		return nil, err
	}
	for _, name := range made.Request.Names {
		v, err := queryValue(r, name)
		if err != nil {
			return nil, fmt.Errorf("%s: {%s}: %w", declared.Request, name, err)
		}
		if ahead && v != (Value{}) && !v.InRequest() {
			return nil, fmt.Errorf("%s: {%s} stands in the response, which a crash may keep from us; take a value of the request", declared.Request, name)
		}
		made.Values = append(made.Values, v)
	}
	if len(made.Values) == 0 {
		return nil, fmt.Errorf("%s: it asks the same whatever the exchange was about; put a value of the exchange into it, as {request:reference}", declared.Request)
	}
	made.Name = prefix + slug(declared)
	return made, nil
}

// slug names a listing after what it asks, so that a changed configuration
// never takes the marks of one for another's.
func slug(declared *syntax.Query) string {
	text, err := json.Marshal(declared)
	if err != nil {
		// Strings and maps of strings have a form in JSON.
		text = []byte(declared.Request.String() + declared.IDs)
	}
	sum := sha256.Sum256(text)
	return strings.ReplaceAll(strings.Trim(declared.Request.Path, "/"), "/", ".") + "~" + hex.EncodeToString(sum[:3])
}

// queryValue finds what a placeholder stands for: a part of the object's own
// key, a placeholder of the rule's path, or any value of the exchange.
func queryValue(r *Rule, name string) (Value, error) {
	switch {
	case slices.Contains(r.pattern.Names, name):
		return parseValue(":" + name)
	case slices.Contains(r.Resource.Show.Names, name):
		return Value{}, nil
	case name == locationValue, strings.Contains(name, ":"):
		v, err := parseValue(name)
		if err == nil {
			err = v.storable()
		}
		return v, err
	}
	return Value{}, fmt.Errorf("it is no placeholder of the path %s and no part of the object's key; "+
		"write request:%s for a value of the request's body", r.pattern.text, name)
}
