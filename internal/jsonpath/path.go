// SPDX-License-Identifier: Apache-2.0

// Package jsonpath reads the part of gjson's paths that can be reasoned about:
// names, indexes, "#" for each element and "*" for each member. To look up a
// value, gjson itself reads its whole language; this package is for code that
// must know which members a path could ever select.
package jsonpath

import (
	"errors"
	"fmt"
	"strings"
)

// ErrUnsupported is returned for a path that has more than names, indexes, "#"
// and "*".
var ErrUnsupported = errors.New("unsupported path")

// MaxSteps is the highest number of steps of a path.
const MaxSteps = 64

// Kind is what a step selects.
type Kind uint8

// The kinds of steps.
const (
	// Name: the member with this name; if the name is a number, also the
	// element with this index.
	Name Kind = iota
	// Each: each element of an array, written "#".
	Each
	// Any: each member of an object or element of an array, written "*".
	Any
)

// Step is one component of a path.
type Step struct {
	Kind Kind
	// Name is the unescaped text of a component of Kind Name.
	Name string
}

// Index returns the index that the step selects in an array.
func (s Step) Index() (index int, ok bool) {
	const digits = 9 // more would overflow, and no array is that long
	if s.Kind != Name || s.Name == "" || len(s.Name) > digits {
		return 0, false
	}
	for _, c := range []byte(s.Name) {
		if c < '0' || c > '9' {
			return 0, false
		}
		index = index*10 + int(c-'0')
	}
	return index, true
}

// Parse reads a path. A backslash escapes the character that follows: "a\.b" is
// the one name "a.b".
func Parse(path string) ([]Step, error) {
	var steps []Step
	for rest, more := path, true; more; {
		var step Step
		var err error
		if step, rest, more, err = next(rest); err != nil {
			return nil, fmt.Errorf("%w %q: %w", ErrUnsupported, path, err)
		}
		if steps = append(steps, step); len(steps) > MaxSteps {
			return nil, fmt.Errorf("%w: it has more than %d steps", ErrUnsupported, MaxSteps)
		}
	}
	return steps, nil
}

// next reads the path's first step.
func next(path string) (step Step, rest string, more bool, err error) {
	var name strings.Builder
	escaped := false
	i := 0
	for ; i < len(path) && path[i] != '.'; i++ {
		switch c := path[i]; {
		case c == '\\':
			if i++; i == len(path) {
				return Step{}, "", false, errors.New(`a "\" at the end escapes nothing`)
			}
			escaped = true
			name.WriteByte(path[i])
			continue
		case c == '|':
			return Step{}, "", false, errors.New(`pipes cannot be used here; escape a "|" that belongs to a name with "\"`)
		case c == '?' || c == '*' && !isAlone(path, i):
			return Step{}, "", false, errors.New(`only "*" alone is a wildcard here; escape a "*" or "?" that belongs to a name with "\"`)
		case name.Len() == 0 && strings.IndexByte("@!{[(", c) >= 0, c == '(' && i == 1 && path[0] == '#', c == '[' && i == 1 && path[0] == '#':
			return Step{}, "", false, errors.New(`queries and modifiers cannot be used here; escape what belongs to a name with "\"`)
		}
		name.WriteByte(path[i])
	}
	if more = i < len(path); more {
		rest = path[i+1:]
	}
	switch step.Name = name.String(); {
	case step.Name == "":
		return Step{}, "", false, errors.New("a name is empty")
	case !escaped && step.Name == "#":
		step = Step{Kind: Each}
	case !escaped && step.Name == "*":
		step = Step{Kind: Any}
	}
	return step, rest, more, nil
}

// isAlone reports whether the byte at i is a whole component.
func isAlone(path string, i int) bool {
	return i == 0 && (len(path) == 1 || path[1] == '.')
}

// Escape returns a component that selects the name, whatever characters it has.
func Escape(name string) string {
	var escaped strings.Builder
	for i := range len(name) {
		if strings.IndexByte(`\.*?|#@!{}[]()`, name[i]) >= 0 {
			escaped.WriteByte('\\')
		}
		escaped.WriteByte(name[i])
	}
	return escaped.String()
}

// HasModifier reports whether a path has what gjson takes for a modifier or a literal: an
// "@" or "!" where a name could begin. Behind a backslash, either is part of a name.
func HasModifier(path string) bool {
	begins := true
	for i := 0; i < len(path); i++ {
		c := path[i]
		if begins && (c == '@' || c == '!') {
			return true
		}
		if c == '\\' {
			i++
		}
		begins = strings.IndexByte(".|,{[(:", c) >= 0
	}
	return false
}
