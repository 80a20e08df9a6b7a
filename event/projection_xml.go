// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/internal/jsonpath"
)

// maxXMLLevels limits the nesting of XML.
const maxXMLLevels = 128

// projectXML removes the elements, attributes and texts at the paths from XML,
// or with only everything else, by cutting bytes. It refuses documents that
// another parser could read in another way than this one: with a DTD that has
// declarations, in an encoding other than UTF-8, not well-formed, or HTML.
func projectXML(document []byte, paths [][]jsonpath.Step, only bool) ([]byte, error) {
	p := xmlProjector{follower: follower{paths}, only: only, in: document, out: make([]byte, 0, len(document))}
	p.decoder = xml.NewDecoder(bytes.NewReader(document))
	p.open = append(p.open, xmlLevel{at: p.begin()})
	for {
		start := p.decoder.InputOffset()
		token, err := p.decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, ErrNotProjectable
		}
		if err := p.token(token, document[start:p.decoder.InputOffset()]); err != nil {
			return nil, err
		}
	}
	if p.roots != 1 || !p.kept {
		return nil, ErrNotProjectable
	}
	return p.out, nil
}

// xmlProjector rewrites XML in one pass.
type xmlProjector struct {
	follower
	decoder *xml.Decoder
	only    bool
	in, out []byte
	open    []xmlLevel
	roots   int
	kept    bool // whether the root stays
}

// xmlLevel is an open element, or the document.
type xmlLevel struct {
	at places
	// decided is true if a path has ended here or above, so that everything
	// within stays or goes, as gone says.
	decided, gone bool
	// children counts the elements of each name.
	children map[string]int
}

func (p *xmlProjector) token(token xml.Token, raw []byte) error {
	level := &p.open[len(p.open)-1]
	switch token := token.(type) {
	case xml.StartElement:
		return p.start(token, raw)
	case xml.EndElement:
		p.open = p.open[:len(p.open)-1]
		p.write(raw, !level.gone)
	case xml.CharData:
		return p.text(token, raw)
	case xml.ProcInst:
		p.write(raw, token.Target == "xml" && p.roots == 0)
	case xml.Directive:
		if p.roots > 0 || !bytes.HasPrefix(token, []byte("DOCTYPE ")) || bytes.IndexByte(token, '[') >= 0 {
			return ErrNotProjectable
		}
		p.write(raw, true)
	}
	return nil
}

// text handles text between tags. Outside of the root there must be none, but
// the parser would accept it.
func (p *xmlProjector) text(token, raw []byte) error {
	level := &p.open[len(p.open)-1]
	blank := len(bytes.TrimSpace(bytes.TrimPrefix(token, []byte("\ufeff")))) == 0
	switch {
	case len(p.open) == 1 && !blank:
		return ErrNotProjectable
	case len(p.open) == 1, blank, level.decided:
		p.write(raw, !level.gone)
	default:
		p.write(raw, p.stays(p.member(level.at, "#text")))
	}
	return nil
}

// start handles the start of an element.
func (p *xmlProjector) start(token xml.StartElement, raw []byte) error {
	parent := &p.open[len(p.open)-1]
	name := token.Name.Local
	if len(p.open) == 1 {
		if p.roots++; strings.EqualFold(name, "html") {
			return ErrNotProjectable
		}
	}
	if len(p.open) > maxXMLLevels || p.roots > 1 {
		return ErrNotProjectable
	}
	level := xmlLevel{decided: parent.decided, gone: parent.gone}
	if !level.decided {
		if parent.children == nil {
			parent.children = make(map[string]int)
		}
		level.at = p.each(p.member(parent.at, name), parent.children[name])
		parent.children[name]++
		switch {
		case p.ended(level.at):
			level.decided, level.gone = true, !p.only
		case len(level.at) == 0:
			level.decided, level.gone = true, p.only
		}
	}
	if len(p.open) == 1 {
		p.kept = !level.gone
	}
	switch {
	case level.gone:
	case level.decided:
		p.out = append(p.out, raw...)
	default:
		if err := p.attributes(token, raw, level.at); err != nil {
			return err
		}
	}
	p.open = append(p.open, level)
	return nil
}

// each adds the places that the element has as the one at its index in the list
// of elements with its name, since XML does not distinguish such a list from a
// single element. A "*" means the elements of the list or the members of the
// element: hidden values are looked for in both, kept values in the latter.
func (p *xmlProjector) each(at places, index int) places {
	for i := 0; i < len(at); i++ { // it grows
		here := at[i]
		if here.step == len(p.paths[here.path]) {
			continue
		}
		step := p.paths[here.path][here.step]
		number, isNumber := step.Index()
		last := here.step == len(p.paths[here.path])-1
		if step.Kind == jsonpath.Each || isNumber && number == index || step.Kind == jsonpath.Any && !p.only && !last {
			at = add(at, place{here.path, here.step + 1})
		}
	}
	return at
}

// stays reports whether the text or attribute at these places stays.
func (p *xmlProjector) stays(at places) bool {
	return p.ended(p.one(at)) == p.only
}

func (p *xmlProjector) write(raw []byte, keep bool) {
	if keep {
		p.out = append(p.out, raw...)
	}
}

// attributes writes a start tag with the attributes that stay. Declarations of
// namespaces always do: elements that stay within may need them.
func (p *xmlProjector) attributes(token xml.StartElement, raw []byte, at places) error {
	end := 1 + bytes.IndexAny(raw[1:], " \t\r\n/>")
	for _, a := range token.Attr {
		// The tag is well-formed, or the parser would have refused it.
		opening := end + bytes.IndexAny(raw[end:], `"'`)
		if opening < end {
			return ErrNotProjectable
		}
		closing := bytes.IndexByte(raw[opening+1:], raw[opening])
		if closing < 0 || !bytes.Contains(raw[end:opening], []byte(a.Name.Local)) {
			return ErrNotProjectable
		}
		next := opening + 1 + closing + 1
		declaration := a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns"
		if declaration || p.stays(p.member(at, "-"+a.Name.Local)) {
			p.out = append(p.out, raw[:end]...)
			p.out = append(p.out, raw[end:next]...)
		} else {
			p.out = append(p.out, raw[:end]...)
		}
		raw, end = raw[next:], 0
	}
	p.out = append(p.out, raw...)
	return nil
}
