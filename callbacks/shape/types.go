// SPDX-License-Identifier: Apache-2.0

package shape

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Type is a name for types of events.
type Type struct {
	// Pattern is a type, or the beginning of types, as items.*.
	Pattern string
	// Alias is what an API calls it, "" for the same.
	Alias string
}

// Types are the types that an API knows. The zero value knows of none, and takes all.
type Types struct {
	patterns map[string]string // by alias
	aliases  map[string]string // by pattern
	known    event.Filter
	names    []string
}

// NewTypes returns what an API calls its types. Beside aliases, a group without one only
// describes the types in it, and is no name.
func NewTypes(list ...Type) (Types, error) {
	t := Types{patterns: make(map[string]string), aliases: make(map[string]string)}
	aliased := slices.ContainsFunc(list, func(of Type) bool { return of.Alias != "" })
	var patterns []string
	for _, of := range list {
		switch other, twice := t.patterns[of.Alias]; {
		case of.Alias == "" && aliased && strings.HasSuffix(of.Pattern, "*"):
			continue
		case of.Alias == "":
			t.names = append(t.names, of.Pattern)
		case twice && other != of.Pattern:
			return Types{}, fmt.Errorf("type %s as %s: %s is called so already; choose another", of.Pattern, of.Alias, other)
		default:
			t.names = append(t.names, of.Alias)
			t.patterns[of.Alias], t.aliases[of.Pattern] = of.Pattern, of.Alias
		}
		patterns = append(patterns, of.Pattern)
	}
	var err error
	if len(patterns) > 0 {
		t.known, err = event.ParseFilter(patterns...)
	}
	return t, err
}

// Pattern returns the pattern that a name stands for, false for a name that the API does
// not know.
func (t Types) Pattern(name string) (pattern string, known bool) {
	if pattern, known = t.patterns[name]; known {
		return pattern, true
	}
	filter, err := event.ParseFilter(name)
	if err != nil || filter.All() {
		return "", false
	}
	if len(t.known.Exact())+len(t.known.Prefixes()) == 0 {
		return name, true
	}
	return name, t.declares(filter)
}

// declares reports whether all that a filter lets through is of types that are known.
func (t Types) declares(filter event.Filter) bool {
	for _, exact := range filter.Exact() {
		if !t.known.Match(exact) {
			return false
		}
	}
	for _, prefix := range filter.Prefixes() {
		// What begins with a prefix is known if the prefix itself is.
		if !t.known.Match(prefix) {
			return false
		}
	}
	return true
}

// Name returns what the API calls a pattern: a [json.Number] if that is a whole number.
func (t Types) Name(pattern string) any {
	alias, known := t.aliases[pattern]
	if !known {
		return pattern
	}
	if n, err := strconv.ParseInt(alias, 10, 64); err == nil && strconv.FormatInt(n, 10) == alias {
		return json.Number(alias)
	}
	return alias
}

// PatternOf returns the pattern of a name, or the name itself if it is none. It is for
// lists, which may have patterns beside names.
func (t Types) PatternOf(name string) string {
	if pattern, known := t.patterns[name]; known {
		return pattern
	}
	return name
}

// nameOf returns the name in a body, which may be a number.
func nameOf(value any) (name string, isName bool) {
	switch value := value.(type) {
	case string:
		return value, true
	case json.Number:
		return value.String(), true
	}
	return "", false
}

// Names returns what can be said for a type, as far as that is declared.
func (t Types) Names() []string { return slices.Clone(t.names) }
