// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// span is a segment of a path that is neither plain text nor one name, or one of the
// same path: text and names in turn, as `:id.json` and `Products(:id)`; or one name for
// all segments that follow, as `:path*`.
type span struct {
	// texts are the texts around the names: one more than names. A text alone is a
	// segment of text.
	texts []string
	// names is how many names there are.
	names int
	// rest is true for a name that stands for one or more segments up to the end.
	rest bool
	// word is true if the names take only values that mean nothing else beside the
	// texts: an id could end the quotes and parentheses of `People(':id')`.
	word bool
}

// parseSpans parses the segments of a path, and returns them with the names. It reports
// false for a path that needs an expression.
func parseSpans(segments []string) (spans []span, names []string, tail, ok bool) {
	for i, segment := range segments {
		last := i == len(segments)-1
		if segment == "*" && last {
			return spans, names, true, true
		}
		if name, isRest := restName(segment); isRest {
			return append(spans, span{texts: []string{"", ""}, names: 1, rest: true}), append(names, name), false, last
		}
		s, own, ok := parseSpan(segment)
		if !ok {
			return nil, nil, false, false
		}
		spans, names = append(spans, s), append(names, own...)
	}
	return spans, names, false, true
}

// restName returns the name of `:name*` and `:name+`.
func restName(segment string) (name string, ok bool) {
	if len(segment) < 3 || segment[0] != ':' || !strings.ContainsRune("*+", rune(segment[len(segment)-1])) {
		return "", false
	}
	name = segment[1 : len(segment)-1]
	return name, isName(name)
}

// parseSpan parses a segment. Parentheses after a name, and those without a name, hold
// an expression; others are text.
func parseSpan(segment string) (s span, names []string, ok bool) {
	var text strings.Builder
	depth := 0
	for i := 0; i < len(segment); i++ {
		switch c := segment[i]; {
		case c == '\\' && i+1 < len(segment):
			i++
			text.WriteByte(segment[i])
		case c == ':':
			end := i + 1
			for end < len(segment) && isName(segment[end:end+1]) {
				end++
			}
			isFirst := len(names) == 0
			if end == i+1 || !isFirst && text.Len() == 0 || end < len(segment) && segment[end] == '(' {
				return s, nil, false
			}
			s.texts, names = append(s.texts, text.String()), append(names, segment[i+1:end])
			text.Reset()
			i = end - 1
		case c == '(' && depth == 0 && i > 0 && hasName(segment[i:]):
			depth++
			text.WriteByte(c)
		case c == ')' && depth > 0:
			depth--
			text.WriteByte(c)
		case strings.IndexByte(`*{}()?+\`, c) >= 0:
			return s, nil, false
		default:
			text.WriteByte(c)
		}
	}
	s.texts, s.names = append(s.texts, text.String()), len(names)
	for i, text := range s.texts {
		plain, err := url.PathUnescape(text)
		if err != nil {
			return s, nil, false
		}
		s.texts[i] = plain
		s.word = s.word || len(names) > 0 && strings.ContainsFunc(plain, func(r rune) bool { return !isWordRune(r) && !strings.ContainsRune("~@:", r) })
	}
	s.word = s.word || len(names) > 1
	return s, names, depth == 0
}

// hasName reports whether parentheses at the beginning of a text hold names and text,
// and nothing that only an expression has.
func hasName(text string) bool {
	inner, _, closed := strings.Cut(text[1:], ")")
	return closed && len(placeholderNames(inner)) > 0 && !strings.ContainsAny(inner, `\?*+|^[]({}`)
}

func isWordRune(r rune) bool { return r < 0x80 && isWord(string(r)) }

// useSpans makes p a pattern of spans, if its text is one.
func (p *pattern) useSpans(segments []string) (bool, error) {
	spans, names, tail, ok := parseSpans(segments)
	if !ok {
		return false, nil
	}
	if len(names) > maxSegments {
		return true, fmt.Errorf("path %q: more than %d names", p.text, maxSegments)
	}
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return true, fmt.Errorf("path %q: :%s stands twice", p.text, name)
		}
	}
	p.spans, p.names, p.tail = spans, names, tail
	for _, s := range spans {
		p.literal += len(strings.Join(s.texts, ""))
	}
	return true, nil
}

// isRest reports whether the first segment that is neither text nor one name stands for
// all that follow.
func (p *pattern) isRest() bool {
	return len(p.spans) > len(p.segments) && p.spans[len(p.segments)].rest
}

// values returns the values of the names in a cleaned, escaped path, and reports whether
// the path matches. Unsure is true if the values could stand for another path. With fold,
// case does not count.
func (p *pattern) values(path string, fold bool) (values []string, unsure, ok bool) {
	var found [maxSegments]string
	n := 0
	for i := range p.spans {
		s := &p.spans[i]
		if path == "" || path == "/" {
			return nil, false, false
		}
		if s.rest {
			found[n], unsure = restValue(path)
			n++
			path = ""
			break
		}
		var segment string
		segment, path = nextSegment(path)
		if !s.take(unescape(segment), fold, found[n:]) {
			return nil, false, false
		}
		n += s.names
	}
	if path != "" && path != "/" && !p.tail || p.tail && path == "" {
		return nil, false, false
	}
	return slices.Clone(found[:n]), unsure, true
}

// restValue returns the segments of a path as one value, and whether one of them has an
// escaped slash.
func restValue(path string) (value string, unsure bool) {
	var segments []string
	for segment := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		plain := unescape(segment)
		unsure = unsure || strings.Contains(plain, "/")
		segments = append(segments, plain)
	}
	return strings.Join(segments, "/"), unsure
}

// take takes the values of the names from a plain segment.
func (s *span) take(plain string, fold bool, values []string) bool {
	prefix, suffix := strings.HasPrefix, strings.HasSuffix
	if fold {
		prefix = func(s, sub string) bool { return len(s) >= len(sub) && strings.EqualFold(s[:len(sub)], sub) }
		suffix = func(s, sub string) bool { return len(s) >= len(sub) && strings.EqualFold(s[len(s)-len(sub):], sub) }
	}
	if s.names == 0 {
		return len(plain) == len(s.texts[0]) && prefix(plain, s.texts[0])
	}
	first, last := s.texts[0], s.texts[s.names]
	if s.names > len(values) || len(plain) <= len(first)+len(last) || !prefix(plain, first) || !suffix(plain, last) {
		return false
	}
	plain = plain[len(first) : len(plain)-len(last)]
	for i := range s.names - 1 {
		at := strings.Index(plain, s.texts[i+1])
		if at <= 0 {
			return false
		}
		values[i], plain = plain[:at], plain[at+len(s.texts[i+1]):]
	}
	values[s.names-1] = plain
	return plain != ""
}

// buildSpans returns the path with parts in place of its names.
func (p *pattern) buildSpans(parts []string) string {
	var path strings.Builder
	for _, s := range p.spans {
		path.WriteByte('/')
		own := parts[:s.names]
		parts = parts[s.names:]
		if s.rest {
			for i, segment := range strings.Split(own[0], "/") {
				if i > 0 {
					path.WriteByte('/')
				}
				path.WriteString(url.PathEscape(segment))
			}
			continue
		}
		for i, text := range s.texts {
			path.WriteString(escapeText(text))
			if i < len(own) {
				path.WriteString(url.PathEscape(own[i]))
			}
		}
	}
	return path.String()
}

// escapeText escapes a text of a path as APIs document it: what RFC 3986 allows in a
// segment stays as it is.
func escapeText(text string) string {
	var escaped strings.Builder
	for i := range len(text) {
		if c := text[i]; strings.IndexByte("!$&'()*+,;=:@", c) >= 0 {
			escaped.WriteByte(c)
		} else {
			escaped.WriteString(url.PathEscape(text[i : i+1]))
		}
	}
	return escaped.String()
}

// checkParts refuses values that cannot stand in the path; see checkPart.
func (p *pattern) checkParts(values []string) error {
	if p.spans == nil {
		for _, value := range values {
			if err := checkPart(value, p.slashes); err != nil {
				return fmt.Errorf("%q: %w", value, err)
			}
		}
		return nil
	}
	for _, s := range p.spans {
		own := values[:s.names]
		values = values[s.names:]
		for _, value := range own {
			if err := s.check(value, p.slashes); err != nil {
				return fmt.Errorf("%q: %w", value, err)
			}
		}
	}
	return nil
}

func (s *span) check(value string, slashes bool) error {
	if s.rest {
		for segment := range strings.SplitSeq(value, "/") {
			if segment == "" {
				return errSpelling
			}
			if err := checkPart(segment, false); err != nil {
				return err
			}
		}
		return nil
	}
	if s.word && !isWord(value) {
		return fmt.Errorf("beside %q in a path, an id has only letters, digits, '-', '_' and '.'", strings.Join(s.texts, ""))
	}
	for j, text := range s.texts {
		if j > 0 && j < s.names && strings.Contains(value, text) {
			return fmt.Errorf("it has the text %q that ends the value before it or its own", text)
		}
	}
	return checkPart(value, slashes)
}
