// SPDX-License-Identifier: Apache-2.0

package shape

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// errForm is returned for a form that cannot be read. It does not quote it: it may hold a
// credential.
var errForm = errors.New("the form cannot be read")

// Form reads a body of type application/x-www-form-urlencoded in their names: those of
// members in each other are joined by dots, and a list is a name that stands several
// times.
func (s *Shape) Form(body []byte) (map[string]any, []Problem, error) {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, nil, errForm
	}
	made := make(map[string]any)
	var problems []Problem
	for name, given := range values {
		if !utf8.ValidString(name + strings.Join(given, "")) {
			return nil, nil, errForm
		}
		f := s.formField(name)
		switch {
		case f == nil:
			problems = append(problems, Problem{"/" + escape(name), "there is no such member", "leave it out; there are " + strings.Join(s.formNames(), ", ")})
		case f.kind != texts && len(given) > 1:
			problems = append(problems, Problem{"/" + escape(name), "it is given more than once", "give it once"})
		case f.kind == whole && f.given:
			problems = append(problems, Problem{"/" + escape(name), "a form cannot say it", "send JSON"})
		default:
			put(made, f.name, f.formValue(given))
		}
	}
	slices.SortFunc(problems, func(a, b Problem) int { return strings.Compare(a.Pointer, b.Pointer) })
	return made, problems, nil
}

// formNames returns what a form can say.
func (s *Shape) formNames() []string {
	var names []string
	for i := range s.fields {
		if f := &s.fields[i]; f.given && f.kind != whole {
			names = append(names, f.theirs())
		}
	}
	return names
}

// formField returns the field of a name in a form, nil if there is none.
func (s *Shape) formField(name string) *field {
	for i := range s.fields {
		if s.fields[i].theirs() == name {
			return &s.fields[i]
		}
	}
	return nil
}

// formValue returns what a text in a form means.
func (f *field) formValue(given []string) any {
	switch f.kind {
	case flag:
		switch given[0] {
		case "true", "1":
			return true
		case "false", "0":
			return false
		}
	case texts:
		list := make([]any, len(given))
		for i := range given {
			list[i] = given[i]
		}
		return list
	}
	return given[0]
}

// put sets a value below names. They do not clash: the shape has been checked.
func put(to map[string]any, names []string, value any) {
	for _, name := range names[:len(names)-1] {
		below, _ := to[name].(map[string]any)
		if below == nil {
			below = make(map[string]any)
			to[name] = below
		}
		to = below
	}
	to[names[len(names)-1]] = value
}
