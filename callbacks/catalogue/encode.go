// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

var (
	// ErrEncoding is returned for what is no encoded schema.
	ErrEncoding = errors.New("it is no encoded schema")
	// ErrProjection is returned for a schema that was learned when other fields were hidden.
	// It may name what is hidden now: learn anew.
	ErrProjection = errors.New("the schema was learned when other fields were hidden")
)

// encodingVersion is the first byte of an encoded schema.
const encodingVersion = 1

// MaxEncoded is the size of the largest encoded schema, in bytes.
const MaxEncoded = 64 << 10

// Encode returns the schema in few bytes, with the projection by which it was learned. Equal
// schemas have the same bytes.
//
//	version 1, length of the projection's ID, the ID, node
//	node: kinds; if it has an object and is not cut: number of members,
//	      for each, in order: length of the name, the name, 1 if it is required, node;
//	      if it has an array and is not cut: 0, or 1 and the node of the elements
//
// A schema that has seen nothing has no node. Numbers are uvarints.
func (s Schema) Encode(p event.Projection) []byte {
	out := []byte{encodingVersion}
	out = appendText(out, p.ID())
	return appendNode(out, s.root)
}

func appendText(to []byte, text string) []byte {
	return append(binary.AppendUvarint(to, uint64(len(text))), text...)
}

func appendNode(to []byte, n *node) []byte {
	if n == nil {
		return to
	}
	to = append(to, byte(n.kinds))
	if n.kinds&isCut != 0 {
		return to
	}
	if n.kinds&isObject != 0 {
		to = binary.AppendUvarint(to, uint64(len(n.members)))
		for _, name := range slices.Sorted(maps.Keys(n.members)) {
			m := n.members[name]
			to = append(appendText(to, name), flag(m.required))
			to = appendNode(to, m.node)
		}
	}
	if n.kinds&isArray != 0 {
		to = appendNode(append(to, flag(n.elements != nil)), n.elements)
	}
	return to
}

func flag(set bool) byte {
	if set {
		return 1
	}
	return 0
}

// Decode reads an encoded schema. It accepts nothing but what [Schema.Encode] writes. If the
// projection was another, it fails with [ErrProjection].
func Decode(data []byte, p event.Projection) (Schema, error) {
	d := &schemaDecoder{rest: data}
	if len(data) > MaxEncoded || d.byte() != encodingVersion {
		return Schema{}, ErrEncoding
	}
	id := d.text()
	var s Schema
	if len(d.rest) > 0 {
		s.root = d.node(0)
	}
	if d.bad || len(d.rest) > 0 {
		return Schema{}, ErrEncoding
	}
	// Numbers that are longer than needed, members out of order and nodes that are too heavy
	// come out otherwise than they went in.
	again := appendNode(appendText([]byte{encodingVersion}, id), s.root)
	if !bytes.Equal(again, data) {
		return Schema{}, ErrEncoding
	}
	if id != p.ID() {
		return Schema{}, ErrProjection
	}
	return s, nil
}

// schemaDecoder reads; once something is bad, all is.
type schemaDecoder struct {
	rest []byte
	bad  bool
}

func (d *schemaDecoder) byte() byte {
	if len(d.rest) == 0 {
		d.bad = true
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *schemaDecoder) number() int {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 || n > MaxEncoded {
		d.bad = true
		return 0
	}
	d.rest = d.rest[size:]
	return int(n)
}

func (d *schemaDecoder) text() string {
	n := d.number()
	if n > len(d.rest) {
		d.bad = true
		return ""
	}
	text := string(d.rest[:n])
	d.rest = d.rest[n:]
	return text
}

func (d *schemaDecoder) flag() bool {
	b := d.byte()
	d.bad = d.bad || b > 1
	return b == 1
}

func (d *schemaDecoder) node(depth int) *node {
	n := &node{kinds: kinds(d.byte())}
	containers := n.kinds & (isObject | isArray)
	switch {
	case d.bad:
		return n
	case n.kinds == 0, n.kinds&isNumber != 0 && n.kinds&isInteger != 0, n.kinds&isCut != 0 && containers == 0:
		d.bad = true
		return n
	case n.kinds&isCut != 0:
		return cut(n.kinds, depth)
	}
	if n.kinds&isObject != 0 {
		count := d.number()
		n.members = make(map[string]member, min(count, 1024))
		for range count {
			name := d.text()
			required := d.flag()
			value := d.node(depth + 1)
			if d.bad = d.bad || !utf8.ValidString(name); d.bad {
				return n
			}
			n.members[name] = member{value, required}
		}
	}
	if n.kinds&isArray != 0 && d.flag() {
		n.elements = d.node(depth)
	}
	return limited(n, depth)
}
