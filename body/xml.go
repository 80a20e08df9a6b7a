// SPDX-License-Identifier: Apache-2.0

package body

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
)

// Limits of XML.
const (
	maxLevels = 128
	// maxNodes limits elements and attributes together: each costs far more
	// memory than its text.
	maxNodes = 1 << 18
)

// schemaInstance is the namespace of xsi:type and xsi:nil.
const schemaInstance = "http://www.w3.org/2001/XMLSchema-instance"

// element is an XML element, complete or under construction.
type element struct {
	name       string
	attributes []attribute
	children   []*element
	text       strings.Builder
	null       bool
}

type attribute struct {
	name, value string
}

// fromXML reads XML with the standard library's parser, which reads nothing
// from outside and knows no entities but the five of XML itself, so that
// nothing can unfold. A DTD that declares anything within the document is
// refused; one that only refers to an external DTD is ignored.
func fromXML(plain []byte, label string) ([]byte, error) {
	root, err := parseXML(plain, label)
	if err != nil {
		if errors.Is(err, ErrTooLarge) || errors.Is(err, ErrNoStructure) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: it is not well-formed XML", ErrNoStructure)
	}
	if strings.EqualFold(root.name, "html") {
		return nil, fmt.Errorf("%w: it is HTML", ErrNoStructure)
	}
	out := append(appendString([]byte{'{'}, root.name), ':')
	if out, err = root.append(out); err != nil {
		return nil, err
	}
	return append(out, '}'), nil
}

// xmlDecoder returns a parser for a body. Its charset comes from the first
// bytes, the Content-Type or the XML declaration, in this order (RFC 7303,
// section 3).
func xmlDecoder(plain []byte, label string) (*xml.Decoder, error) {
	if isUTF16(plain) {
		label = "utf-16be"
		if plain[0] == 0xff {
			label = "utf-16le"
		}
		plain = plain[2:]
	}
	var r io.Reader = bytes.NewReader(plain)
	converted := false
	if label != "" && !strings.EqualFold(label, "utf-8") && !strings.EqualFold(label, "us-ascii") {
		var err error
		if r, err = charset.NewReaderLabel(label, r); err != nil {
			return nil, err
		}
		converted = true
	}
	decoder := xml.NewDecoder(r)
	decoder.CharsetReader = func(label string, input io.Reader) (io.Reader, error) {
		if converted {
			return input, nil
		}
		return charset.NewReaderLabel(label, input)
	}
	return decoder, nil
}

// isUTF16 reports whether a body begins with the byte order mark of UTF-16.
func isUTF16(plain []byte) bool {
	return bytes.HasPrefix(plain, []byte("\xfe\xff")) || bytes.HasPrefix(plain, []byte("\xff\xfe"))
}

func parseXML(plain []byte, label string) (*element, error) {
	decoder, err := xmlDecoder(plain, label)
	if err != nil {
		return nil, err
	}
	var root *element
	var open []*element
	nodes := 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			if root == nil {
				return nil, ErrNoStructure
			}
			return root, nil
		}
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			nodes += 1 + len(token.Attr)
			if len(open) == maxLevels || nodes > maxNodes {
				return nil, fmt.Errorf("%w: the XML has more than %d levels or %d elements", ErrTooLarge, maxLevels, maxNodes)
			}
			e := newElement(token)
			switch {
			case len(open) > 0:
				parent := open[len(open)-1]
				parent.children = append(parent.children, e)
			case root == nil:
				root = e
			default:
				return nil, fmt.Errorf("%w: the XML has two roots", ErrNoStructure)
			}
			open = append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text.Write(token)
			}
		case xml.Directive:
			if bytes.IndexByte(token, '[') >= 0 {
				return nil, fmt.Errorf("%w: the XML has a DTD", ErrNoStructure)
			}
		}
	}
}

func newElement(token xml.StartElement) *element {
	e := &element{name: token.Name.Local}
	for _, a := range token.Attr {
		switch {
		case a.Name.Space == "xmlns", a.Name.Space == "" && a.Name.Local == "xmlns":
		case a.Name.Space == schemaInstance:
			if a.Name.Local == "nil" && (a.Value == "true" || a.Value == "1") {
				e.null = true
			}
		default:
			e.attributes = append(e.attributes, attribute{"-" + a.Name.Local, a.Value})
		}
	}
	return e
}

// append appends the element's value.
func (e *element) append(out []byte) ([]byte, error) {
	if len(out) > MaxSize {
		return nil, ErrTooLarge
	}
	text := strings.TrimSpace(e.text.String())
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("%w: its text is not UTF-8", ErrNoStructure)
	}
	if len(e.attributes) == 0 && len(e.children) == 0 {
		if e.null && text == "" {
			return append(out, "null"...), nil
		}
		return checked(appendString(out, text))
	}
	out = append(out, '{')
	var groups fields
	for _, a := range e.attributes {
		at := groups.at(a.name)
		at.values = append(at.values, appendString(nil, a.value))
	}
	if text != "" {
		at := groups.at("#text")
		at.values = append(at.values, appendString(nil, text))
	}
	for i, name := range groups.names {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendString(out, name), ':')
		out = appendOneOrMany(out, groups.values[name].values, false)
	}
	return e.appendChildren(out, len(groups.names) > 0)
}

// appendChildren appends the children, grouped by name, and closes the object.
func (e *element) appendChildren(out []byte, more bool) ([]byte, error) {
	named := make(map[string][]*element, min(len(e.children), 16))
	var names []string
	for _, child := range e.children {
		if named[child.name] == nil {
			names = append(names, child.name)
		}
		named[child.name] = append(named[child.name], child)
	}
	for _, name := range names {
		if more {
			out = append(out, ',')
		}
		more = true
		out = append(appendString(out, name), ':')
		group := named[name]
		if len(group) > 1 {
			out = append(out, '[')
		}
		for i, child := range group {
			if i > 0 {
				out = append(out, ',')
			}
			var err error
			if out, err = child.append(out); err != nil {
				return nil, err
			}
		}
		if len(group) > 1 {
			out = append(out, ']')
		}
	}
	return checked(append(out, '}'))
}
