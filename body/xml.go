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
	// maxNodes limits elements and attributes together, beside the document's
	// length: each costs far more memory than its text.
	maxNodes = 1 << 18
)

// schemaInstance is the namespace of xsi:type and xsi:nil.
const schemaInstance = "http://www.w3.org/2001/XMLSchema-instance"

// fromXML reads XML with the standard library's parser, which reads nothing
// from outside and knows no entities but the five of XML itself, so that
// nothing can unfold. A DTD that declares anything within the document is
// refused; one that only refers to an external DTD is ignored.
func fromXML(plain []byte, label string) (document Document, odd, err error) {
	t, err := parseXML(plain, label)
	if err != nil {
		if errors.Is(err, ErrTooLarge) || errors.Is(err, ErrNoStructure) {
			return document, nil, err
		}
		return document, nil, fmt.Errorf("%w: it is not well-formed XML", ErrNoStructure)
	}
	if strings.EqualFold(t.all[t.all[0].first].name, "html") {
		return document, nil, fmt.Errorf("%w: it is HTML", ErrNoStructure)
	}
	if t.odd {
		odd = errMixedXML
	}
	out, err := t.append(nil, 0)
	return Document{JSON: out, Lists: true}, odd, err
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

// maxNodesOf returns how many elements and attributes a document can have.
func maxNodesOf(length int) int { return min(maxNodes, 256+length/6) }

func parseXML(plain []byte, label string) (*tree, error) {
	decoder, err := xmlDecoder(plain, label)
	if err != nil {
		return nil, err
	}
	t := &tree{all: make([]element, 1, 16), names: make(map[string]string), left: maxNodesOf(len(plain))}
	stack := []*open{{}}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			if t.all[0].first == 0 {
				return nil, ErrNoStructure
			}
			return t, nil
		}
		if err != nil {
			return nil, err
		}
		top := stack[len(stack)-1]
		switch token := token.(type) {
		case xml.StartElement:
			switch {
			case len(stack) > maxLevels:
				return nil, errManyNodes
			case len(stack) == 1 && t.all[0].first != 0:
				return nil, fmt.Errorf("%w: the XML has two roots", ErrNoStructure)
			}
			begun, err := t.begin(top, token)
			if err != nil {
				return nil, err
			}
			stack = append(stack, begun)
		case xml.EndElement:
			if err := t.end(top); err != nil {
				return nil, err
			}
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 1 {
				top.text = append(top.text, token...)
			}
		case xml.Comment, xml.ProcInst:
			top.broken = true
		case xml.Directive:
			if bytes.IndexByte(token, '[') >= 0 {
				return nil, fmt.Errorf("%w: the XML has a DTD", ErrNoStructure)
			}
		}
	}
}

// tree is an XML document. Its elements stand in one slice, because a stranger can
// send very many: an element has the names of its children, in the order in which
// they first stand, and each of these the children of that name.
type tree struct {
	all []element
	// names holds each name once.
	names map[string]string
	// left is how many more elements and attributes there may be.
	left int
	// odd is true if parsers may disagree about a text.
	odd bool
}

// element is an element, an attribute, or the group of an element's children of one
// name. It links to what is below it and beside it; 0 is none, as the root is neither.
type element struct {
	name              string // of a group
	text              string
	first, last, next int32
	null              bool
}

// open is an element that has not ended.
type open struct {
	at   int32
	text []byte
	// groups finds the groups of an element that has many.
	groups map[string]int32
	// broken is true if a comment or an instruction stands in the element.
	broken bool
}

// fewGroups is how many groups are searched one by one.
const fewGroups = 8

var errManyNodes = fmt.Errorf("%w: the XML has more than %d levels, or very many elements", ErrTooLarge, maxLevels)

// add adds an element below another.
func (t *tree) add(below int32, added element) int32 {
	i := int32(len(t.all))
	t.all = append(t.all, added)
	if parent := &t.all[below]; parent.first == 0 {
		parent.first, parent.last = i, i
	} else {
		t.all[parent.last].next = i
		parent.last = i
	}
	return i
}

// group returns the group of a name among the children of an element.
func (t *tree) group(of *open, name string) int32 {
	if of.groups != nil {
		if at, ok := of.groups[name]; ok {
			return at
		}
	} else {
		n := 0
		for at := t.all[of.at].first; at != 0; at = t.all[at].next {
			if t.all[at].name == name {
				return at
			}
			n++
		}
		if n >= fewGroups {
			of.groups = make(map[string]int32)
			for at := t.all[of.at].first; at != 0; at = t.all[at].next {
				of.groups[t.all[at].name] = at
			}
		}
	}
	if t.names[name] == "" {
		t.names[name] = strings.Clone(name)
	}
	at := t.add(of.at, element{name: t.names[name]})
	if of.groups != nil {
		of.groups[t.names[name]] = at
	}
	return at
}

// child adds a child to an element.
func (t *tree) child(of *open, name, text string) (int32, error) {
	if t.left--; t.left < 0 {
		return 0, errManyNodes
	}
	return t.add(t.group(of, name), element{text: text}), nil
}

// begin adds the element of a token.
func (t *tree) begin(below *open, token xml.StartElement) (*open, error) {
	at, err := t.child(below, token.Name.Local, "")
	if err != nil {
		return nil, err
	}
	begun := &open{at: at}
	for _, a := range token.Attr {
		switch {
		case a.Name.Space == "xmlns", a.Name.Space == "" && a.Name.Local == "xmlns":
		case a.Name.Space == schemaInstance:
			if a.Name.Local == "nil" && (a.Value == "true" || a.Value == "1") {
				t.all[at].null = true
			}
		default:
			if _, err := t.child(begun, "-"+a.Name.Local, a.Value); err != nil {
				return nil, err
			}
		}
	}
	return begun, nil
}

// end completes an element.
func (t *tree) end(o *open) error {
	text := bytes.TrimSpace(o.text)
	if !utf8.Valid(text) {
		return fmt.Errorf("%w: its text is not UTF-8", ErrNoStructure)
	}
	if len(text) == 0 {
		return nil
	}
	t.all[o.at].text = string(text)
	for at := t.all[o.at].first; at != 0; at = t.all[at].next {
		o.broken = o.broken || t.all[at].name[0] != '-'
	}
	t.odd = t.odd || o.broken
	return nil
}

// append appends the value of an element.
func (t *tree) append(out []byte, at int32) ([]byte, error) {
	e := t.all[at]
	switch {
	case len(out) > MaxSize:
		return nil, ErrTooLarge
	case e.first == 0 && e.null && e.text == "":
		return append(out, "null"...), nil
	case e.first == 0:
		return checked(appendString(out, e.text))
	}
	out = append(out, '{')
	begun := len(out)
	var err error
	group := e.first
	for ; group != 0 && t.all[group].name[0] == '-'; group = t.all[group].next {
		if out, err = t.appendGroup(out, begun, group); err != nil {
			return nil, err
		}
	}
	if e.text != "" {
		if len(out) > begun {
			out = append(out, ',')
		}
		out = appendString(append(out, `"#text":`...), e.text)
	}
	for ; group != 0; group = t.all[group].next {
		if out, err = t.appendGroup(out, begun, group); err != nil {
			return nil, err
		}
	}
	return checked(append(out, '}'))
}

// appendGroup appends the children of one name as a member of the object that begins
// at begun.
func (t *tree) appendGroup(out []byte, begun int, at int32) ([]byte, error) {
	if len(out) > begun {
		out = append(out, ',')
	}
	group := t.all[at]
	out = append(appendString(out, group.name), ':')
	if group.first != group.last {
		out = append(out, '[')
	}
	for i := group.first; i != 0; i = t.all[i].next {
		if i != group.first {
			out = append(out, ',')
		}
		var err error
		if out, err = t.append(out, i); err != nil {
			return nil, err
		}
	}
	if group.first != group.last {
		out = append(out, ']')
	}
	return out, nil
}
