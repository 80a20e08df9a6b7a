// SPDX-License-Identifier: Apache-2.0

package shape

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxSegments limits how many segments a path has.
const maxSegments = 32

// Path is a path with names for some of its segments, as /callbacks/:id.
type Path struct {
	text     string
	segments []segment
}

// segment is text, or a name.
type segment struct {
	text  string
	named bool
}

// ParsePath reads a path. A name is written :id or {id}.
func ParsePath(text string) (Path, error) {
	p := Path{text: text}
	if !strings.HasPrefix(text, "/") || strings.ContainsAny(text, "?#*") {
		return p, fmt.Errorf("path %q: write a path as /callbacks/:id, with no query and no *", text)
	}
	for part := range strings.SplitSeq(strings.TrimPrefix(strings.TrimSuffix(text, "/"), "/"), "/") {
		s := segment{text: part}
		if name, found := strings.CutPrefix(part, ":"); found {
			s = segment{name, true}
		} else if name, found := strings.CutPrefix(part, "{"); found && strings.HasSuffix(name, "}") {
			s = segment{strings.TrimSuffix(name, "}"), true}
		}
		plain, err := url.PathUnescape(s.text)
		switch {
		case s.named && (!isName(s.text) || slices.Contains(p.Names(), s.text)):
			return p, fmt.Errorf("path %q: a name is a colon and letters, digits or _, and stands once", text)
		case !s.named && strings.ContainsAny(s.text, "{}:"):
			return p, fmt.Errorf("path %q: a name is a segment of its own, as /callbacks/:id", text)
		case err != nil || s.text == "" && strings.Trim(text, "/") != "":
			return p, fmt.Errorf("path %q: the segment %q matches nothing", text, s.text)
		case len(p.segments) == maxSegments:
			return p, fmt.Errorf("path %q: it has more than %d segments", text, maxSegments)
		case !s.named:
			s.text = plain
		}
		p.segments = append(p.segments, s)
	}
	return p, nil
}

// isName reports whether a text can be a name in a path.
func isName(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_'
	})
}

// String returns the path as it is written.
func (p Path) String() string { return p.text }

// Names returns the names in their order.
func (p Path) Names() []string {
	var names []string
	for _, s := range p.segments {
		if s.named {
			names = append(names, s.text)
		}
	}
	return names
}

// Matches reports whether an escaped path is one of these. A slash at its end does not
// matter.
func (p Path) Matches(escaped string) bool {
	rest, rooted := strings.CutPrefix(strings.TrimSuffix(escaped, "/"), "/")
	if !rooted && rest != "" || strings.Count(rest, "/")+1 != len(p.segments) {
		return false
	}
	i := 0
	for part := range strings.SplitSeq(rest, "/") {
		plain, err := url.PathUnescape(part)
		s := p.segments[i]
		i++
		if err != nil || !s.named && s.text != plain || s.named && (plain == "" || !utf8.ValidString(plain)) {
			return false
		}
	}
	return true
}

// Match reports whether an escaped path is one of these, and returns the values of the
// names.
func (p Path) Match(escaped string) (values map[string]string, matches bool) {
	if !p.Matches(escaped) {
		return nil, false
	}
	values = make(map[string]string)
	i := 0
	for part := range strings.SplitSeq(strings.TrimPrefix(escaped, "/"), "/") {
		if i < len(p.segments) && p.segments[i].named {
			values[p.segments[i].text], _ = url.PathUnescape(part) // it matches, so it can be read
		}
		i++
	}
	return values, true
}

// Compare orders paths that match the same: that which says more comes first.
func (p Path) Compare(q Path) int {
	for i := range min(len(p.segments), len(q.segments)) {
		if order := cmp.Compare(rank(p.segments[i]), rank(q.segments[i])); order != 0 {
			return order
		}
	}
	return 0
}

func rank(s segment) int {
	if s.named {
		return 1
	}
	return 0
}

// clashes reports whether some path is matched by both, and neither says more than the
// other in all its segments.
func (p Path) clashes(q Path) bool {
	if len(p.segments) != len(q.segments) {
		return false
	}
	more, less := false, false
	for i, a := range p.segments {
		b := q.segments[i]
		switch {
		case !a.named && !b.named && a.text != b.text:
			return false
		case a.named && !b.named:
			less = true
		case !a.named && b.named:
			more = true
		}
	}
	return more == less
}

// CheckRoute reports a route of some others of which nobody can tell which one is meant.
func CheckRoute(others []Route, r Route) error {
	path, err := ParsePath(r.Path)
	if err != nil {
		return err
	}
	for i := range others {
		other, err := ParsePath(others[i].Path)
		if err != nil {
			return err
		}
		shared := slices.ContainsFunc(r.Methods, func(m string) bool { return slices.Contains(others[i].Methods, m) })
		if shared && path.clashes(other) {
			return fmt.Errorf("`%s` and `%s` match the same requests; change one of them", &others[i], &r)
		}
	}
	return nil
}

// ErrUnsafe is returned for a value that cannot stand in a path without doubt about what
// the path names.
var ErrUnsafe = errors.New("the value cannot stand in a path")

// Fill returns a target, as a path with :names and perhaps a query, with values in place
// of the names. What a server could take for more than a segment is refused.
func Fill(target string, value func(name string) string) (string, error) {
	text, query, hasQuery := strings.Cut(target, "?")
	if !strings.Contains(text, "/:") {
		return target, nil
	}
	p, err := ParsePath(text)
	if err != nil {
		return "", err
	}
	path, err := p.Fill(value)
	if hasQuery {
		path += "?" + query
	}
	return path, err
}

// Fill returns the path with values in place of the names, see the function.
func (p Path) Fill(value func(name string) string) (string, error) {
	var made strings.Builder
	for _, s := range p.segments {
		plain := s.text
		if s.named {
			if plain = value(s.text); !isSafe(plain) {
				return "", ErrUnsafe
			}
		}
		made.WriteString("/" + url.PathEscape(plain))
	}
	if strings.HasSuffix(p.text, "/") && p.text != "/" {
		made.WriteByte('/')
	}
	return made.String(), nil
}

// isSafe reports whether every server takes a value for one segment, and for the same.
func isSafe(value string) bool {
	return value != "" && utf8.ValidString(value) && !strings.ContainsAny(value, `/\?#;%`) && !strings.ContainsFunc(value, unicode.IsControl) &&
		strings.Trim(value, ". ") != "" && strings.TrimRight(value, ". ") == value
}
