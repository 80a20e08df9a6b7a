// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/tidwall/gjson"
)

// maxCanonicalDepth bounds how deep members are put in order. Sorting copies a
// level's bytes once per level above it, so without a bound a deeply nested
// Show would cost the square of its size.
const maxCanonicalDepth = 64

// Document is a body that was looked at once: whether it is JSON is asked for
// by everything that reads it, and costs as much as reading it.
type Document struct {
	body []byte
	json bool
}

// NewDocument looks at a body.
func NewDocument(body []byte) Document {
	return Document{body: body, json: json.Valid(body)}
}

// IsJSON tells whether the document is JSON, so that it has fields.
func (d Document) IsJSON() bool { return d.json }

// Field returns the value at a path as raw JSON; nil where there is none, or
// where the document is not JSON.
func (d Document) Field(path string) json.RawMessage {
	if !d.json {
		// gjson gives unspecified results on invalid JSON.
		return nil
	}
	return json.RawMessage(gjson.GetBytes(d.body, path).Raw)
}

// Canonical returns the document's [Canonical] form.
func (d Document) Canonical() []byte {
	if !d.json {
		return d.body
	}
	// The parser trusts its input. The standard library's check has also
	// bounded the depth, so that recursion cannot exhaust the stack.
	c := canonicalizer{in: d.body, out: make([]byte, 0, len(d.body))}
	c.value(0)
	return c.out
}

// Canonical returns JSON in the form in which two Shows of an unchanged object
// are equal: without insignificant white space and with the members of every
// object in the order of their names. Number literals are kept as they stand,
// since rounding them (as RFC 8785 does above 2^53) would hide changes, and so
// are string escapes and repeated members.
//
// Anything but valid JSON is returned as it is: its bytes are its form.
func Canonical(body []byte) []byte {
	return NewDocument(body).Canonical()
}

// canonicalizer rewrites valid JSON in one pass.
type canonicalizer struct {
	in  []byte
	pos int
	out []byte
}

func (c *canonicalizer) value(depth int) {
	c.space()
	switch c.in[c.pos] {
	case '{':
		c.object(depth)
	case '[':
		c.array(depth)
	case '"':
		c.string()
	default:
		c.literal()
	}
}

func (c *canonicalizer) object(depth int) {
	start := len(c.out)
	var members [][2]int // where each member's name starts and ends in out
	var ends []int
	c.copyByte()
	for c.space(); c.in[c.pos] != '}'; c.space() {
		if c.in[c.pos] == ',' {
			c.pos++
			c.space()
		}
		name := len(c.out)
		c.string()
		members = append(members, [2]int{name, len(c.out)})
		c.space()
		c.copyByte() // the colon
		c.value(depth + 1)
		ends = append(ends, len(c.out))
		c.out = append(c.out, ',')
	}
	if len(members) > 0 {
		c.out = c.out[:len(c.out)-1]
	}
	c.copyByte()
	if depth < maxCanonicalDepth {
		c.sort(start, members, ends)
	}
}

// sort puts the members of the object that begins at start in order.
func (c *canonicalizer) sort(start int, members [][2]int, ends []int) {
	order := make([]int, len(members))
	for i := range order {
		order[i] = i
	}
	name := func(i int) []byte { return c.out[members[i][0]:members[i][1]] }
	less := func(a, b int) int { return bytes.Compare(name(a), name(b)) }
	if slices.IsSortedFunc(order, less) {
		return
	}
	slices.SortStableFunc(order, less)
	sorted := make([]byte, 0, len(c.out)-start)
	sorted = append(sorted, '{')
	for n, i := range order {
		if n > 0 {
			sorted = append(sorted, ',')
		}
		sorted = append(sorted, c.out[members[i][0]:ends[i]]...)
	}
	copy(c.out[start:], append(sorted, '}'))
}

func (c *canonicalizer) array(depth int) {
	c.copyByte()
	for c.space(); c.in[c.pos] != ']'; c.space() {
		if c.in[c.pos] == ',' {
			c.copyByte()
		}
		c.value(depth + 1)
	}
	c.copyByte()
}

func (c *canonicalizer) string() {
	start := c.pos
	for c.pos++; c.in[c.pos] != '"'; c.pos++ {
		if c.in[c.pos] == '\\' {
			c.pos++
		}
	}
	c.pos++
	c.out = append(c.out, c.in[start:c.pos]...)
}

func (c *canonicalizer) literal() {
	start := c.pos
	for c.pos < len(c.in) && !bytes.ContainsRune([]byte(",]} \t\r\n"), rune(c.in[c.pos])) {
		c.pos++
	}
	c.out = append(c.out, c.in[start:c.pos]...)
}

func (c *canonicalizer) space() {
	for c.pos < len(c.in) {
		switch c.in[c.pos] {
		case ' ', '\t', '\r', '\n':
			c.pos++
		default:
			return
		}
	}
}

func (c *canonicalizer) copyByte() {
	c.out = append(c.out, c.in[c.pos])
	c.pos++
}

// JSON returns the document's body, or nil where it is not JSON.
func (d Document) JSON() []byte {
	if !d.json {
		return nil
	}
	return d.body
}
