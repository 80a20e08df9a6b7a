// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/tidwall/gjson"
)

// maxCanonicalDepth limits the depth to which members are sorted. Sorting
// copies a level's bytes once per level above it, so without a limit a deeply
// nested Show would cost the square of its size.
const maxCanonicalDepth = 64

// Document is a body that was checked once for being JSON: every reader needs
// to know, and checking costs as much as reading.
type Document struct {
	body []byte
	json bool
}

// NewDocument returns the document of a body.
func NewDocument(body []byte) Document {
	return Document{body: body, json: json.Valid(body)}
}

// Bytes returns the document as it was given.
func (d Document) Bytes() []byte { return d.body }

// IsJSON reports whether the document is JSON, and so has fields.
func (d Document) IsJSON() bool { return d.json }

// Field returns the value at a path as raw JSON; nil if there is none, or if
// the document is not JSON.
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
	// The parser trusts its input. json.Valid has limited the depth too, so
	// that recursion cannot exhaust the stack.
	c := canonicalizer{in: d.body, out: make([]byte, 0, len(d.body))}
	c.value(0)
	return c.out
}

// Canonical returns JSON in the form in which two Shows of an unchanged object
// are equal: without insignificant white space and with the members of every
// object sorted by name. Number literals are kept as written, since rounding
// them (as RFC 8785 does above 2^53) would hide changes. String escapes and
// repeated members are kept too.
//
// Any other body is returned as it is: its bytes are its canonical form.
func Canonical(body []byte) []byte {
	return NewDocument(body).Canonical()
}

// CanonicalAt returns the part of a valid JSON document's [Canonical] form that is
// the value within so many objects and arrays.
func CanonicalAt(value []byte, depth int) []byte {
	c := canonicalizer{in: value, out: make([]byte, 0, len(value))}
	c.value(depth)
	return c.out
}

// SortsAt reports whether the order of an object's members does not count in the
// [Canonical] form, if it is within so many objects and arrays.
func SortsAt(depth int) bool { return depth < maxCanonicalDepth }

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
	if SortsAt(depth) {
		c.sort(start, members, ends)
	}
}

// sort sorts the members of the object that begins at start.
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

// JSON returns the document's body, or nil if it is not JSON.
func (d Document) JSON() []byte {
	if !d.json {
		return nil
	}
	return d.body
}
