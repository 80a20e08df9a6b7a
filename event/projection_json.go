// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/json"

	"github.com/caddy-webhooks/caddy-webhooks/internal/jsonpath"
)

// projectJSON removes the values at the paths from valid JSON, or with only all
// other values.
func projectJSON(document []byte, paths [][]jsonpath.Step, only bool) ([]byte, error) {
	p := jsonProjector{follower: follower{paths}, only: only, in: document, out: make([]byte, 0, len(document))}
	p.space()
	if !p.value(p.begin()) {
		return nil, ErrNotProjectable
	}
	p.space()
	return p.out, nil
}

// jsonProjector rewrites valid JSON in one pass.
type jsonProjector struct {
	follower
	only bool
	in   []byte
	pos  int
	out  []byte
}

// value writes the part of a value that stays, and reports whether anything
// does.
func (p *jsonProjector) value(at places) bool {
	opening := p.in[p.pos]
	if opening != '[' {
		at = p.one(at)
	}
	if p.ended(at) {
		p.whole(p.only)
		return p.only
	}
	if len(at) == 0 || opening != '{' && opening != '[' {
		p.whole(!p.only)
		return !p.only
	}
	p.members(at, opening == '{')
	return true
}

// members writes the members that stay of an object or a list. White space and
// commas go with the member that follows them.
func (p *jsonProjector) members(at places, object bool) {
	p.copyByte()
	kept := false
	for index := 0; ; index++ {
		start, rest := p.pos, len(p.out)
		if p.in[p.pos] == ',' {
			p.pos++
			start++
		}
		blank := p.pos
		p.skipSpace()
		if c := p.in[p.pos]; c == '}' || c == ']' {
			p.out = append(p.out, p.in[blank:p.pos]...)
			p.copyByte()
			return
		}
		var next places
		if object {
			name := p.name()
			p.skipSpace()
			p.pos++ // the colon
			p.skipSpace()
			next = p.member(at, name)
		} else {
			next = p.element(at, index)
		}
		if kept {
			p.out = append(p.out, ',')
		}
		p.out = append(p.out, p.in[start:p.pos]...)
		if p.value(next) {
			kept = true
			p.space()
		} else {
			p.out = p.out[:rest]
			p.skipSpace()
		}
	}
}

// name reads the name of a member and unescapes it.
func (p *jsonProjector) name() string {
	start := p.pos
	escaped := p.skipString()
	if raw := p.in[start:p.pos]; !escaped {
		return string(raw[1 : len(raw)-1])
	} else if name := ""; json.Unmarshal(raw, &name) == nil {
		return name
	}
	return "" // impossible in valid JSON
}

// whole skips a value, and writes it if it is to be kept.
func (p *jsonProjector) whole(keep bool) {
	start := p.pos
	p.skipValue()
	if keep {
		p.out = append(p.out, p.in[start:p.pos]...)
	}
}

func (p *jsonProjector) skipValue() {
	for depth := 0; p.pos < len(p.in); {
		switch p.in[p.pos] {
		case '"':
			p.skipString()
		case '{', '[':
			depth++
			p.pos++
		case '}', ']':
			if depth == 0 {
				return // the end of the object or list around a literal
			}
			depth--
			p.pos++
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return
			}
			p.pos++
			continue
		default:
			p.pos++
			continue // within a literal, or a colon
		}
		if depth == 0 {
			return
		}
	}
}

// skipString skips a string, and reports whether it has escapes.
func (p *jsonProjector) skipString() (escaped bool) {
	for p.pos++; p.in[p.pos] != '"'; p.pos++ {
		if p.in[p.pos] == '\\' {
			escaped = true
			p.pos++
		}
	}
	p.pos++
	return escaped
}

func (p *jsonProjector) skipSpace() {
	for p.pos < len(p.in) {
		switch p.in[p.pos] {
		case ' ', '\t', '\r', '\n':
			p.pos++
		default:
			return
		}
	}
}

// space writes white space.
func (p *jsonProjector) space() {
	start := p.pos
	p.skipSpace()
	p.out = append(p.out, p.in[start:p.pos]...)
}

func (p *jsonProjector) copyByte() {
	p.out = append(p.out, p.in[p.pos])
	p.pos++
}
