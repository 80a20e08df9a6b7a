// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/dunglas/go-urlpattern"

	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// maxSegments bounds the segments of a path that are looked at. A longer path
// is a stranger's; no rule needs as many.
const maxSegments = 32

// pattern is a parsed path pattern.
//
// A pattern of plain segments, `:name` segments and at most a `*` at its end
// is matched segment by segment. Anything else that the URLPattern syntax
// allows is kept as an expression, behind the segments that stand before it.
type pattern struct {
	// text is the pattern as written.
	text string
	// segments holds literal segments, and "" where a name stands.
	segments []string
	// Names are the placeholders in order of their place.
	Names []string
	// tail is true when a "*" ends the pattern.
	tail bool
	// expression, when not empty, is the whole pattern to be matched by the
	// URLPattern library.
	expression string
	compiled   *urlpattern.URLPattern
}

var errNoSlash = errors.New("a path begins with '/'")

func parsePattern(text string) (pattern, error) {
	p := pattern{text: text}
	if !strings.HasPrefix(text, "/") {
		return p, fmt.Errorf("path %q: %w", text, errNoSlash)
	}
	if strings.ContainsAny(text, "?#") && !strings.ContainsAny(text, "({") {
		return p, fmt.Errorf("path %q: a pattern is matched against the path alone, without query or fragment", text)
	}
	segments := strings.Split(strings.Trim(text, "/"), "/")
	if text == "/" {
		segments = nil
	}
	if len(segments) > maxSegments {
		return p, fmt.Errorf("path %q: more than %d segments", text, maxSegments)
	}
	for i, segment := range segments {
		switch {
		case segment == "*" && i == len(segments)-1:
			p.tail = true
		case strings.HasPrefix(segment, ":") && isName(segment[1:]):
			if slices.Contains(p.Names, segment[1:]) {
				return p, fmt.Errorf("path %q: %s stands twice", text, segment)
			}
			p.Names = append(p.Names, segment[1:])
			p.segments = append(p.segments, "")
		case strings.ContainsAny(segment, ":*(){}?+\\"):
			return p.compile()
		case segment == "":
			return p, fmt.Errorf("path %q: an empty segment never matches", text)
		default:
			plain, err := url.PathUnescape(segment)
			if err != nil {
				return p, fmt.Errorf("path %q: %w", text, err)
			}
			p.segments = append(p.segments, plain)
		}
	}
	return p, nil
}

// compile hands the pattern to the URLPattern library, and learns the names
// of its placeholders.
func (p pattern) compile() (pattern, error) {
	compiled, err := urlpattern.New("*://*:*"+strings.TrimSuffix(p.text, "/")+"{/}?", "", nil)
	if err != nil {
		return p, fmt.Errorf("path %q is not a URL pattern: %w", p.text, err)
	}
	p.expression = p.text
	p.compiled = compiled
	p.Names = placeholderNames(p.text)
	return p, nil
}

// exec matches a cleaned, escaped path against the expression, and appends the
// values of the names.
func (p *pattern) exec(path string, values []string) ([]string, bool) {
	result := p.compiled.Exec(path, "http://h")
	if result == nil {
		return values, false
	}
	for _, name := range p.Names {
		values = append(values, result.Pathname.Groups[name])
	}
	return values, true
}

// build returns the path of a show pattern with the parts of a key.
func (p *pattern) build(parts []string) (string, error) {
	if len(parts) != len(p.Names) {
		return "", fmt.Errorf("the key has %d parts and the path %s takes %d", len(parts), p.text, len(p.Names))
	}
	var path strings.Builder
	next := 0
	for _, segment := range p.segments {
		path.WriteByte('/')
		if segment == "" {
			segment = parts[next]
			next++
		}
		path.WriteString(url.PathEscape(segment))
	}
	if strings.HasSuffix(p.text, "/") {
		path.WriteByte('/')
	}
	return path.String(), nil
}

// Parts matches an escaped path against a pattern of plain segments, and
// returns the plain values of its names.
func (p *pattern) Parts(escaped string) ([]string, bool) {
	values := make([]string, 0, len(p.Names))
	rest := cleanPath(escaped)
	for _, want := range p.segments {
		if rest == "" || rest == "/" {
			return nil, false
		}
		var segment string
		segment, rest = nextSegment(rest)
		switch plain := unescape(segment); want {
		case "":
			values = append(values, plain)
		case plain:
		default:
			return nil, false
		}
	}
	return values, rest == "" || rest == "/"
}

// placeholderNames finds the names of a URLPattern: a colon, then letters,
// digits and underscores.
func placeholderNames(text string) []string {
	var names []string
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' {
			i++
			continue
		}
		if text[i] != ':' {
			continue
		}
		end := i + 1
		for end < len(text) && isName(text[end:end+1]) {
			end++
		}
		if end > i+1 {
			names = append(names, text[i+1:end])
		}
	}
	return names
}

func isName(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return syntax.NotNameRune(r) || r == '-' }) < 0
}
