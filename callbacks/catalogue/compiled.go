// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// Compiled checks values by a JSON Schema.
type Compiled struct {
	schema *jsonschema.Schema
}

// ErrSchema is returned for what is no JSON Schema, or refers to something outside of
// itself.
var ErrSchema = errors.New("it is no JSON Schema that can be used")

// Compile reads a JSON Schema, of draft 2020-12 unless it says otherwise. It reads nothing
// else, whatever the schema refers to.
func Compile(schema json.RawMessage) (*Compiled, error) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, fmt.Errorf("%w: its JSON cannot be read", ErrSchema)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.UseLoader(nowhere{})
	const name = "urn:schema"
	if err := compiler.AddResource(name, value); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	compiled, err := compiler.Compile(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrSchema, firstLine(err))
	}
	return &Compiled{compiled}, nil
}

// nowhere loads nothing: a schema must not make requests, nor read files.
type nowhere struct{}

// Load implements [jsonschema.URLLoader].
func (nowhere) Load(string) (any, error) { return nil, errors.New("it is outside of the schema") }

func firstLine(err error) string {
	line, rest, _ := strings.Cut(err.Error(), "\n")
	if rest, _, _ = strings.Cut(rest, "\n"); rest != "" {
		line += " " + strings.TrimSpace(rest)
	}
	return line
}

// Misfit is a part of a value that does not fit a schema.
type Misfit struct {
	// Pointer is the JSON Pointer of the part, "" for the whole.
	Pointer string
	// Detail says what is wrong.
	Detail string
}

// words writes what is wrong in English.
var words = message.NewPrinter(language.English)

// Check returns what of a JSON text does not fit, nothing if all does.
func (c *Compiled) Check(text []byte) []Misfit {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return []Misfit{{"", "it is not JSON"}}
	}
	var invalid *jsonschema.ValidationError
	switch err := c.schema.Validate(value); {
	case err == nil:
		return nil
	case !errors.As(err, &invalid):
		return []Misfit{{"", "it cannot be checked"}}
	}
	var all []Misfit
	addMisfits(&all, invalid)
	slices.SortStableFunc(all, func(a, b Misfit) int { return strings.Compare(a.Pointer, b.Pointer) })
	return slices.Compact(all)
}

// addMisfits adds what an error is about. Of alternatives, that none or too many of them fit
// is all that is said: what is wrong with each would contradict the others.
func addMisfits(to *[]Misfit, e *jsonschema.ValidationError) {
	switch e.ErrorKind.(type) {
	case *kind.OneOf, *kind.AnyOf, *kind.Not:
	default:
		if len(e.Causes) > 0 {
			for _, cause := range e.Causes {
				addMisfits(to, cause)
			}
			return
		}
	}
	pointer := ""
	for _, token := range e.InstanceLocation {
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(token)
	}
	*to = append(*to, Misfit{pointer, said(e)})
}

// said says what is wrong, in the words of this API where the validator's name positions.
func said(e *jsonschema.ValidationError) string {
	switch wrong := e.ErrorKind.(type) {
	case *kind.OneOf:
		if len(wrong.Subschemas) > 1 {
			return "it fits more than one of the alternatives of which exactly one must fit"
		}
		return "it fits none of the alternatives of which exactly one must fit"
	case *kind.AnyOf:
		return "it fits none of the alternatives"
	}
	return e.ErrorKind.LocalizedString(words)
}
