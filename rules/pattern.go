// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/dunglas/go-urlpattern"

	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// maxSegments limits how many segments of a path are looked at. No rule needs as
// many; a longer path comes from a stranger.
const maxSegments = 32

// pattern is the path of a rule, or the path from which a request is built.
//
// A pattern of plain segments, `:name` segments and at most a `*` at its end is
// matched segment by segment. One with names beside text, or with a name for all
// segments that follow, has spans. A pattern with anything else that the URLPattern
// syntax allows is an expression: its segments are those before the first such
// part, and the URLPattern library matches it as a whole.
type pattern struct {
	// text is the pattern as written.
	text string
	// segments holds literal segments, and "" for a placeholder.
	segments []string
	// names are the placeholders in order.
	names []string
	// spans are all segments of a pattern that has others than text and single names;
	// then segments are those before the first such. literal is how much text they have.
	spans   []span
	literal int
	// tail is true if a "*" ends the pattern.
	tail bool
	// expression is the text of an expression, "" for other patterns.
	expression string
	compiled   *urlpattern.URLPattern
	// slashes is true if a value may be any text: the API splits a path before
	// it decodes it.
	slashes bool
}

var errNoSlash = errors.New("a path begins with '/'")

// bracedName finds the names of other languages of paths: here it is text, and never
// matches.
var bracedName = regexp.MustCompile(`/\{(\w+)\}(/|$)`)

// checkPath refuses the path of a rule that means something else than it seems to.
func checkPath(text string) error {
	if found := bracedName.FindStringSubmatch(text); found != nil {
		return fmt.Errorf("path %q: {%s} stands for the text %q; a name is written :%s", text, found[1], found[1], found[1])
	}
	depth := 0
	for i := range len(text) {
		switch text[i] {
		case '\\':
			return nil // written with care
		case '(', '{':
			depth++
		case ')', '}':
			depth--
		case '|':
			if depth == 0 {
				return fmt.Errorf("path %q: alternatives stand in parentheses, as /items/:id/:action(ship|cancel), or are rules of their own", text)
			}
		}
	}
	return nil
}

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
			if slices.Contains(p.names, segment[1:]) {
				return p, fmt.Errorf("path %q: %s stands twice", text, segment)
			}
			p.names = append(p.names, segment[1:])
			p.segments = append(p.segments, "")
		case strings.ContainsAny(segment, ":*(){}?+\\"):
			if ok, err := p.useSpans(segments); ok {
				return p, err
			}
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

// compile makes the pattern an expression.
func (p pattern) compile() (pattern, error) {
	compiled, err := urlpattern.New("*://*:*"+strings.TrimSuffix(p.text, "/")+"{/}?", "", nil)
	if err != nil {
		return p, fmt.Errorf("path %q is not a URL pattern: %w", p.text, err)
	}
	p.expression = p.text
	p.compiled = compiled
	p.names = placeholderNames(p.text)
	return p, nil
}

// exec matches a cleaned, escaped path against the expression, and appends the
// values of the placeholders.
func (p *pattern) exec(path string, values []string) ([]string, bool) {
	result := p.compiled.Exec(path, "http://h")
	if result == nil {
		return values, false
	}
	for _, name := range p.names {
		values = append(values, unescape(result.Pathname.Groups[name]))
	}
	return values, true
}

// build returns the path with parts in place of its placeholders.
func (p *pattern) build(parts []string) (string, error) {
	if len(parts) != len(p.names) {
		return "", fmt.Errorf("the key has %d parts and the path %s takes %d", len(parts), p.text, len(p.names))
	}
	var path strings.Builder
	next := 0
	if p.spans != nil {
		path.WriteString(p.buildSpans(parts))
	} else {
		for _, segment := range p.segments {
			path.WriteByte('/')
			if segment == "" {
				segment = parts[next]
				next++
			}
			path.WriteString(url.PathEscape(segment))
		}
	}
	if strings.HasSuffix(p.text, "/") {
		path.WriteByte('/')
	}
	return path.String(), nil
}

// match matches an escaped path against a pattern of plain segments and
// placeholders, and returns the unescaped values of the placeholders.
func (p *pattern) match(escaped string) ([]string, bool) {
	rest := usualPath(escaped)
	if p.spans != nil {
		values, unsure, ok := p.values(rest, false)
		return values, ok && !unsure
	}
	values := make([]string, 0, len(p.names))
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

// endsWith reports whether a placeholder is the last segment of the path.
func (p *pattern) endsWith(name string) bool {
	if p.spans != nil {
		return !p.tail && p.spans[len(p.spans)-1].names > 0 && p.names[len(p.names)-1] == name
	}
	if p.expression != "" {
		return len(p.names) > 0 && p.names[len(p.names)-1] == name && isLastSegment(p.expression, name)
	}
	return !p.tail && len(p.segments) > 0 && p.segments[len(p.segments)-1] == "" && p.names[len(p.names)-1] == name
}

// isLastSegment reports whether no segment follows a placeholder of an expression, but
// perhaps text in its own.
func isLastSegment(expression, name string) bool {
	at := strings.LastIndex(expression, ":"+name)
	if at < 0 {
		return false
	}
	rest := expression[at+1+len(name):]
	for depth, i := 0, 0; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				rest = rest[i+1:]
				i = len(rest)
			}
		default:
			if depth == 0 {
				i = len(rest)
			}
		}
	}
	rest = strings.TrimSuffix(strings.TrimSuffix(rest, "/"), "{/}?")
	return !strings.ContainsAny(rest, "/*+")
}

// value returns the value of a placeholder among those of all, or "".
func (p *pattern) value(name string, values []string) string {
	at := slices.Index(p.names, name)
	if at < 0 || at >= len(values) {
		return ""
	}
	return values[at]
}

// has refuses a value of the path that the path does not have.
func (p *pattern) has(v Value) error {
	if v.Source == FromPath && !slices.Contains(p.names, v.Name) {
		return fmt.Errorf("%s is no placeholder of the path %s", v, p.text)
	}
	return nil
}

// placeholderNames finds the placeholders of a URLPattern: a colon, then letters,
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

// isName reports whether a text can be the name of a placeholder.
func isName(s string) bool {
	return syntax.IsName(s) && !strings.Contains(s, "-")
}
