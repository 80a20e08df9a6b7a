// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"strings"
)

// wordPrefix stands before the name of a placeholder that takes only words, as
// {word:id}.
const wordPrefix = "word:"

// A string of a request may hold a text in a language of its own: GraphQL or a filter in
// a JSON string, OData in a query. A value is escaped for the string, and not for what the
// string holds, so that an id could end a quotation there and go on as it likes. Therefore
// a placeholder that does not fill a string alone takes only words, and one within a
// quotation in a string must say so.
var errInnerQuotes = errors.New(`it stands within quotes within a string, and an id could end them; ` +
	`for GraphQL, use a variable, as {"query":"query($id: ID!) \{ item(id: $id) \{ id } }","variables":{"id":"{id}"}}; ` +
	"or write {word:NAME}, which takes only ids of letters, digits, '-', '_' and '.'")

// isWord reports whether a value means nothing but itself in any language: letters,
// digits, "-", "_" and ".".
func isWord(value string) bool {
	return value != "" && !strings.ContainsFunc(value, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.'
	})
}

// quoting is the grammar of a text with placeholders, as far as strings go.
type quoting int

const (
	quotingJSON   quoting = iota // strings stand between quotes
	quotingPairs                 // strings are the values of name=value&name=value
	quotingXML                   // strings are attributes and what stands between tags
	quotingHeader                // the whole text is a string
)

// restrict decides which placeholders take only words. It fails if one stands within
// quotes within a string and does not say that it does.
func restrict(pieces []piece, of quoting) error {
	s := scanner{of: of, pieces: pieces, inString: of == quotingHeader || of == quotingXML}
	for i := range pieces {
		if pieces[i].name == "" {
			s.text(pieces[i].text)
			continue
		}
		if s.inner != 0 && !pieces[i].word {
			return fmt.Errorf("{%s}: %w", pieces[i].name, errInnerQuotes)
		}
		s.here = append(s.here, i)
	}
	s.end()
	return nil
}

// scanner goes through a text with placeholders.
type scanner struct {
	of     quoting
	pieces []piece
	// inString is true within a string, inTag within a tag of XML, of which tagQuote
	// quotes the attribute.
	inString, inTag bool
	tagQuote        byte
	// inner is the quotation mark of a quotation within the string, 0 for none.
	inner byte
	// here are the placeholders in the string, and other is true if it has a text
	// beside them.
	here  []int
	other bool
}

// end ends a string.
func (s *scanner) end() {
	for _, i := range s.here {
		s.pieces[i].word = s.pieces[i].word || s.other || len(s.here) > 1
	}
	s.here, s.other, s.inner = nil, false, 0
}

// text goes through a text.
func (s *scanner) text(text string) {
	for len(text) > 0 {
		n := s.boundary(text)
		if n == 0 {
			n = 1
			if s.inString {
				n = s.content(text)
			}
		}
		text = text[n:]
	}
}

// boundary returns the length of what begins or ends a string at the beginning of a
// text, and notes that; 0 for nothing.
func (s *scanner) boundary(text string) int {
	c := text[0]
	switch {
	case s.of == quotingJSON && c == '"', s.inTag && (c == '"' || c == '\'') && (s.tagQuote == 0 || s.tagQuote == c):
		s.end()
		s.inString = !s.inString
		if s.tagQuote = 0; s.inString {
			s.tagQuote = c
		}
	case s.of == quotingPairs && (c == '&' || c == '=' && !s.inString):
		s.end()
		s.inString = c == '='
	case s.of == quotingXML && (c == '<' && !s.inTag || c == '>' && s.inTag && s.tagQuote == 0):
		s.end()
		s.inTag, s.inString = c == '<', c == '>'
	default:
		return 0
	}
	return 1
}

// content goes over one character of a string, however it is escaped.
func (s *scanner) content(text string) int {
	c, n := text[0], 1
	switch {
	case s.of == quotingJSON && c == '\\' && len(text) > 5 && text[1] == 'u':
		c, n = map[string]byte{"0022": '"', "0027": '\'', "0060": '`'}[text[2:6]], 6
	case s.of == quotingJSON && c == '\\' && len(text) > 1:
		c, n = text[1], 2
	case s.of == quotingPairs && c == '%' && len(text) > 2:
		if quote := map[string]byte{"22": '"', "27": '\'', "60": '`'}[text[1:3]]; quote != 0 {
			c, n = quote, 3
		}
	case s.of == quotingXML && c == '&':
		for name, quote := range map[string]byte{"&quot;": '"', "&apos;": '\'', "&#34;": '"', "&#39;": '\''} {
			if strings.HasPrefix(text, name) {
				c, n = quote, len(name)
			}
		}
	}
	s.other = s.other || s.of != quotingXML || strings.TrimSpace(text[:n]) != ""
	switch {
	case s.inner == c && c != 0:
		s.inner = 0
	case s.inner == 0 && (c == '"' || c == '\'' || c == '`'):
		s.inner = c
	}
	return n
}
