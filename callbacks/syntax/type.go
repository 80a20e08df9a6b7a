// SPDX-License-Identifier: Apache-2.0

package syntax

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/catalogue"
	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Type says what subscribers are told of a type of event, or of a group of them.
type Type struct {
	// Pattern is a type of event that the rules make, as `items.updated`, or a group, as
	// `items.*`. What is said of a group holds for each type of it of which nothing more
	// exact is said.
	Pattern string `json:"pattern"`

	// Alias is the name by which subscribers know it in shapes of another API. An alias
	// that is a whole number is a number in JSON. Default: none.
	Alias string `json:"alias,omitempty"`

	// Description says in a sentence what has happened. Default: none.
	Description string `json:"description,omitempty"`

	// Schema is the JSON Schema of its payload, the Show, in place of the one that is
	// learned. It is of draft 2020-12 unless it says otherwise, and refers to nothing
	// outside of itself. At most 65536 bytes.
	Schema json.RawMessage `json:"schema,omitempty"`

	// Sample is an example of its payload, in place of the one that is made from the
	// schema. It must fit the schema. At most 65536 bytes.
	Sample json.RawMessage `json:"sample,omitempty"`
}

// Limits of what is said about types.
const (
	maxTypes       = 1000
	maxAlias       = 64
	maxDescription = 1024
	// MaxDocument limits a schema and a sample, in bytes.
	MaxDocument = 64 << 10
)

// checkTypes reports what is impossible of some types.
func checkTypes(types []*Type) error {
	if len(types) > maxTypes {
		return fmt.Errorf("subscribers: there are %d types, and %d are possible", len(types), maxTypes)
	}
	patterns, aliases := make(map[string]bool), make(map[string]string)
	for _, t := range types {
		switch other := aliases[t.Alias]; {
		case patterns[t.Pattern]:
			return fmt.Errorf("subscribers: type %s stands twice; keep one of them", t.Pattern)
		case t.Alias != "" && other != "":
			return fmt.Errorf("subscribers: type %s as %s: that is the alias of %s already; give one of them another", t.Pattern, t.Alias, other)
		}
		patterns[t.Pattern], aliases[t.Alias] = true, t.Pattern
		if err := t.check(); err != nil {
			return fmt.Errorf("subscribers: type %s: %w", t.Pattern, err)
		}
	}
	for _, t := range types {
		if err := checkSample(types, t); err != nil {
			return fmt.Errorf("subscribers: type %s: %w", t.Pattern, err)
		}
	}
	return nil
}

func (t *Type) check() error {
	if _, err := event.ParseFilter(t.Pattern); err != nil {
		return err
	}
	odd := func(r rune) bool {
		return !unicode.IsPrint(r) || unicode.IsSpace(r) || strings.ContainsRune("/?#%{}*", r)
	}
	switch {
	case t.Alias != "" && (len(t.Alias) > maxAlias || strings.ContainsFunc(t.Alias, odd) || strings.Trim(t.Alias, ".") == ""):
		return fmt.Errorf("the alias %q is no name for a path: use at most %d letters, digits, '.', '_' or '-'", t.Alias, maxAlias)
	case len(t.Description) > maxDescription || strings.ContainsFunc(t.Description, unicode.IsControl):
		return fmt.Errorf("its description is no line of at most %d bytes", maxDescription)
	case len(t.Schema) > MaxDocument || len(t.Sample) > MaxDocument:
		return fmt.Errorf("its schema or its sample has more than %d bytes", MaxDocument)
	case t.Sample != nil && !json.Valid(t.Sample):
		return fmt.Errorf("its sample is not JSON")
	case t.Schema == nil:
		return nil
	}
	_, err := catalogue.Compile(t.Schema)
	return err
}

// checkSample reports a sample that does not fit the schema of its type, which may be
// that of the most exact group around it.
func checkSample(types []*Type, t *Type) error {
	schema := catalogue.Nearest(Declared(types), t.Pattern, func(d catalogue.Declared) bool { return d.Schema != nil })
	if t.Sample == nil || schema == nil {
		return nil
	}
	compiled, err := catalogue.Compile(schema.Schema)
	if err != nil {
		return err
	}
	if wrong := compiled.Check(t.Sample); len(wrong) > 0 {
		at := "as a whole"
		if wrong[0].Pointer != "" {
			at = "at " + wrong[0].Pointer
		}
		return fmt.Errorf("its sample does not fit the schema of %s, %s: %s", schema.Pattern, at, wrong[0].Detail)
	}
	return nil
}

// Catalogue returns the types of events that rules make, with what is said of them. It fails
// with what is said of none, and with a sample that has what the payload has not.
func (s *Subscribers) Catalogue(made []catalogue.Made) (*catalogue.Types, error) {
	if s == nil {
		return catalogue.NewTypes(made, nil)
	}
	types, err := catalogue.NewTypes(made, Declared(s.Types))
	if err != nil {
		return nil, fmt.Errorf("subscribers: %w", err)
	}
	for _, of := range types.All() {
		for _, m := range of.Made {
			shown, err := m.Projection.Apply(of.Sample)
			if of.Sample != nil && (err != nil || string(shown) != string(of.Sample)) {
				return nil, fmt.Errorf("subscribers: type %s: its sample has what resource %s hides; leave that out of the sample", of.Name, m.Resource)
			}
		}
	}
	return types, nil
}

// Declared returns types as the catalogue has them.
func Declared(types []*Type) []catalogue.Declared {
	all := make([]catalogue.Declared, len(types))
	for i, t := range types {
		all[i] = catalogue.Declared{Pattern: t.Pattern, Alias: t.Alias, Description: t.Description, Schema: t.Schema, Sample: t.Sample}
	}
	return all
}
