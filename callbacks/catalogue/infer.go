// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// ErrNotJSON is returned for a Show that is not JSON: there is no schema of it.
var ErrNotJSON = errors.New("the Show is not JSON")

// Infer returns the shape of a Show, without what the projection hides. It fails if that
// cannot be taken out.
func Infer(show []byte, p event.Projection) (Schema, error) {
	if !json.Valid(show) {
		return Schema{}, ErrNotJSON
	}
	seen, err := p.Apply(show)
	if err != nil {
		return Schema{}, err
	}
	decoder := json.NewDecoder(bytes.NewReader(seen))
	decoder.UseNumber()
	root, err := infer(decoder, 0)
	if err != nil {
		return Schema{}, ErrNotJSON
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Schema{}, ErrNotJSON
	}
	return Schema{root}, nil
}

// infer reads a value.
func infer(decoder *json.Decoder, depth int) (*node, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return inferObject(decoder, depth)
		}
		return inferArray(decoder, depth)
	case string:
		return leaf(isString), nil
	case bool:
		return leaf(isBoolean), nil
	case json.Number:
		// 1.0 is an integer to a validator, and a sign of fractions to come.
		if strings.ContainsAny(t.String(), ".eE") {
			return leaf(isNumber), nil
		}
		return leaf(isInteger), nil
	default:
		return leaf(isNull), nil
	}
}

func leaf(k kinds) *node { return &node{kinds: k, weight: weightOfNode} }

func inferObject(decoder *json.Decoder, depth int) (*node, error) {
	n := &node{kinds: isObject, members: make(map[string]member)}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		value, err := infer(decoder, depth+1)
		if err != nil {
			return nil, err
		}
		name, _ := token.(string)
		// If a name is repeated, who reads may take any.
		n.members[name] = member{merge(n.members[name].node, value, depth+1), true}
	}
	_, err := decoder.Token()
	return limited(n, depth), err
}

func inferArray(decoder *json.Decoder, depth int) (*node, error) {
	n := &node{kinds: isArray}
	for decoder.More() {
		element, err := infer(decoder, depth)
		if err != nil {
			return nil, err
		}
		n.elements = merge(n.elements, element, depth)
	}
	_, err := decoder.Token()
	return limited(n, depth), err
}
