// SPDX-License-Identifier: Apache-2.0

package event

import (
	"fmt"
	"strings"
)

// Template is an event type that may take parts of its name from the Show, as
// in "items.state.{items.state}". The zero Template renders nothing.
type Template struct {
	text  string
	parts []part
}

// part is a literal, or a path if path is true.
type part struct {
	text string
	path bool
}

// maxTypeValue limits the bytes that a field can add to a type's name.
const maxTypeValue = 64

// ParseTemplate parses an event type. Outside braces it may hold letters,
// digits, ".", "_" and "-"; braces hold a gjson path of the Show.
func ParseTemplate(text string) (Template, error) {
	t := Template{text: text}
	for rest := text; rest != ""; {
		literal, after, found := strings.Cut(rest, "{")
		if i := strings.IndexFunc(literal, NotTypeRune); i >= 0 {
			return Template{}, fmt.Errorf("event type %q: %q is not a letter, digit, '.', '_' or '-'", text, literal[i:i+1])
		}
		if literal != "" {
			t.parts = append(t.parts, part{text: literal})
		}
		if !found {
			break
		}
		path, next, closed := strings.Cut(after, "}")
		if !closed || path == "" {
			return Template{}, fmt.Errorf("event type %q: braces take a path of the Show, as {items.state}", text)
		}
		t.parts = append(t.parts, part{text: path, path: true})
		rest = next
	}
	if len(t.parts) == 0 {
		return Template{}, fmt.Errorf("an event type must not be empty")
	}
	return t, nil
}

// String returns the text that the template was parsed from.
func (t Template) String() string { return t.text }

// Paths returns the paths that the template takes values from.
func (t Template) Paths() []string {
	var paths []string
	for _, p := range t.parts {
		if p.path {
			paths = append(paths, p.text)
		}
	}
	return paths
}

// Render returns the type with the fields' values in place of the paths. A
// character that a type cannot hold becomes "_", and a missing or empty value
// "none", so that a Show cannot make a type that a filter or a header does not
// expect.
func (t Template) Render(fields Fields) string {
	if len(t.parts) == 1 && !t.parts[0].path {
		return t.text
	}
	var name strings.Builder
	for _, p := range t.parts {
		if !p.path {
			name.WriteString(p.text)
			continue
		}
		value := Text(fields[p.text])
		if value == "" || value == "null" {
			value = "none"
		}
		if len(value) > maxTypeValue {
			value = value[:maxTypeValue]
		}
		for _, r := range value {
			// A "." would add a level to the type's hierarchy.
			if NotTypeRune(r) || r == '.' {
				r = '_'
			}
			name.WriteRune(r)
		}
	}
	return name.String()
}

// NotTypeRune reports whether an event type cannot hold a character: it is not a
// letter, a digit, ".", "_" or "-".
func NotTypeRune(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
}
