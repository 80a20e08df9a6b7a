// SPDX-License-Identifier: Apache-2.0

package graphqlapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var errSyntax = errors.New("this is no GraphQL that is understood here")

// maxDepth limits how deep a document nests.
const maxDepth = 8

// document is the supported part of a GraphQL document: operations with fields,
// arguments and variables. It has no fragments and no directives.
type document struct {
	operations []operation
}

type operation struct {
	mutation bool
	name     string
	fields   []field
}

type field struct {
	// alias is the field's name in the answer.
	alias, name string
	arguments   map[string]any
	fields      []field
}

// variable is an argument whose value is in the request's variables.
type variable string

// tokens matches a token, or a separator of tokens: blanks, commas, a comment.
var tokens = regexp.MustCompile(`"(?:[^"\\\n]|\\.)*"|#[^\n]*|[\s,\x{feff}]+|-?[0-9]+|[A-Za-z_][A-Za-z_0-9]*|[!$():=@\[\]{}|&]`)

// parser reads a document token by token.
type parser struct {
	rest []string
}

// parse reads a document.
func parse(text string) (document, error) {
	var p parser
	end := 0
	for _, at := range tokens.FindAllStringIndex(text, -1) {
		if at[0] != end {
			return document{}, errSyntax
		}
		end = at[1]
		token := text[at[0]:at[1]]
		if token[0] != '#' && strings.Trim(token, " \t\r\n\f\v,\ufeff") != "" {
			p.rest = append(p.rest, token)
		}
	}
	if end != len(text) {
		return document{}, errSyntax
	}
	var d document
	for len(p.rest) > 0 {
		o, err := p.operation()
		if err != nil {
			return document{}, err
		}
		d.operations = append(d.operations, o)
	}
	return d, nil
}

// peek returns the next token, "" at the end.
func (p *parser) peek() string {
	if len(p.rest) == 0 {
		return ""
	}
	return p.rest[0]
}

func (p *parser) take() string {
	token := p.peek()
	if token != "" {
		p.rest = p.rest[1:]
	}
	return token
}

func (p *parser) takeIf(token string) bool {
	if p.peek() != token {
		return false
	}
	p.take()
	return true
}

func (p *parser) takeName() (string, error) {
	token := p.take()
	if token == "" || !isNameStart(token[0]) {
		return "", errSyntax
	}
	return token, nil
}

func isNameStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}

func (p *parser) operation() (o operation, err error) {
	if p.peek() != "{" {
		switch p.take() {
		case "query":
		case "mutation":
			o.mutation = true
		default:
			return o, errSyntax
		}
		if p.peek() != "{" && p.peek() != "(" {
			if o.name, err = p.takeName(); err != nil {
				return o, err
			}
		}
		// The types of variables are not checked.
		if p.takeIf("(") {
			for !p.takeIf(")") {
				if p.take() == "" {
					return o, errSyntax
				}
			}
		}
	}
	o.fields, err = p.selection(0)
	return o, err
}

func (p *parser) selection(depth int) (fields []field, err error) {
	if depth == maxDepth || !p.takeIf("{") {
		return nil, errSyntax
	}
	for !p.takeIf("}") {
		f := field{}
		if f.name, err = p.takeName(); err != nil {
			return nil, err
		}
		f.alias = f.name
		if p.takeIf(":") {
			if f.name, err = p.takeName(); err != nil {
				return nil, err
			}
		}
		if p.takeIf("(") {
			if f.arguments, err = p.members(")", depth); err != nil {
				return nil, err
			}
		}
		if p.peek() == "{" {
			if f.fields, err = p.selection(depth + 1); err != nil {
				return nil, err
			}
		}
		fields = append(fields, f)
	}
	return fields, nil
}

// members reads "name: value" up to a closing token.
func (p *parser) members(closing string, depth int) (map[string]any, error) {
	read := make(map[string]any)
	for !p.takeIf(closing) {
		name, err := p.takeName()
		if err != nil || !p.takeIf(":") {
			return nil, errSyntax
		}
		if read[name], err = p.value(depth + 1); err != nil {
			return nil, err
		}
	}
	return read, nil
}

func (p *parser) value(depth int) (any, error) {
	token := p.take()
	switch {
	case token == "" || depth >= maxDepth:
		return nil, errSyntax
	case token == "$":
		name, err := p.takeName()
		return variable(name), err
	case token == "{":
		return p.members("}", depth)
	case token[0] == '"':
		var text string
		if err := json.Unmarshal([]byte(token), &text); err != nil {
			return nil, errSyntax
		}
		return text, nil
	case token == "null":
		return nil, nil
	case isNameStart(token[0]):
		return token, nil // an enum's value
	}
	number, err := strconv.ParseInt(token, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", errSyntax, token)
	}
	return number, nil
}
