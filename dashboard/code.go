// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// code is text of others, line by line: a payload, or what a receiver answered. It is never
// markup: templates write it as text.
type code struct {
	Lines []codeLine
	// Cut says that something is left out, "" if nothing is.
	Cut string
}

// codeLine is a line, which may be new (ins) or gone (del).
type codeLine struct {
	Kind   string
	Tokens []token
}

// token is a part of a line: k for a name, s for text, n for a number, "" for the rest.
type token struct{ Class, Text string }

const (
	// maxCode is how many bytes of a text are shown, and maxLines how many lines: a page
	// must stay one that a browser can show.
	maxCode  = 256 << 10
	maxLines = 3000
	// maxNested is how deep JSON may lie in itself to be indented. Deeper, the spaces alone
	// would be more than the text.
	maxNested = 64
	// maxBinary is how many bytes are shown of what is no text.
	maxBinary = 1 << 10
)

// codeOf returns a text as it is shown: JSON is indented.
func codeOf(text []byte) code {
	if !utf8.Valid(text) {
		return binaryCode(text)
	}
	shown, cut := text, ""
	if len(shown) > maxCode {
		shown = []byte(strings.ToValidUTF8(string(shown[:maxCode]), ""))
		cut = fmt.Sprintf("It has %s bytes, and the first %s are shown.", thousands(len(text)), thousands(len(shown)))
	} else if nested(shown) <= maxNested {
		var indented bytes.Buffer
		if json.Indent(&indented, shown, "", "  ") == nil {
			shown = indented.Bytes()
		}
	}
	c := code{Cut: cut}
	for line := range strings.Lines(string(shown)) {
		if len(c.Lines) == maxLines {
			c.Cut = fmt.Sprintf("The first %s lines are shown.", thousands(maxLines))
			break
		}
		c.Lines = append(c.Lines, codeLine{Tokens: tokens(strings.TrimRight(line, "\r\n"))})
	}
	return c
}

// binaryCode shows bytes that are no text.
func binaryCode(text []byte) code {
	c := code{Cut: fmt.Sprintf("It is no text, and has %s bytes.", thousands(len(text)))}
	if len(text) > maxBinary {
		text = text[:maxBinary]
		c.Cut += fmt.Sprintf(" The first %s are shown.", thousands(maxBinary))
	}
	for line := range strings.Lines(hex.Dump(text)) {
		c.Lines = append(c.Lines, codeLine{Tokens: []token{{Text: strings.TrimRight(line, "\n")}}})
	}
	return c
}

// nested returns how deep brackets lie in each other, outside of strings.
func nested(text []byte) int {
	depth, deepest, quoted, escaped := 0, 0, false, false
	for _, b := range text {
		switch {
		case escaped:
			escaped = false
		case quoted && b == '\\':
			escaped = true
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '{', b == '[':
			depth++
			deepest = max(deepest, depth)
		case b == '}', b == ']':
			depth--
		}
	}
	return deepest
}

// tokens takes a line of indented JSON apart. A line that is none is one token.
func tokens(line string) []token {
	rest := strings.TrimLeft(line, " ")
	made := []token{{Text: line[:len(line)-len(rest)]}}
	if end := stringEnd(rest); end > 0 && strings.HasPrefix(rest[end:], ": ") {
		made = append(made, token{"k", visible(rest[:end])}, token{Text: ": "})
		rest = rest[end+2:]
	}
	value := strings.TrimSuffix(rest, ",")
	class := ""
	switch {
	case stringEnd(value) == len(value) && value != "":
		class = "s"
	case value == "true", value == "false", value == "null", json.Valid([]byte(value)) && strings.ContainsAny(value[:1], "-0123456789"):
		class = "n"
	}
	made = append(made, token{class, visible(value)})
	if len(value) < len(rest) {
		made = append(made, token{Text: ","})
	}
	return made
}

// stringEnd returns where a JSON string ends with which a text begins, 0 if none does.
func stringEnd(text string) int {
	if !strings.HasPrefix(text, `"`) {
		return 0
	}
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// visible writes characters that nobody sees, and those that change the order of others, as
// JSON would escape them: a text must not look like another.
func visible(text string) string {
	if !strings.ContainsFunc(text, hides) {
		return text
	}
	var made strings.Builder
	for _, r := range text {
		if hides(r) {
			fmt.Fprintf(&made, `\u%04x`, r)
		} else {
			made.WriteRune(r)
		}
	}
	return made.String()
}

func hides(r rune) bool { return r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) }
