// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/shape"
	"github.com/caddy-webhooks/caddy-webhooks/callbacks/syntax"
)

// API reads a line of a webhooks_api:
//
//	authorize ...
//	<verb> [<thing>] <methods> <path> [<status>] {
//	    object    <resource>
//	    authorize ...
//	}
//	shape <thing> [in <member>] <name[=path]...>
func API(d *caddyfile.Dispenser, to *syntax.API, lines Lines) error {
	word, line := d.Val(), d.Token()
	switch {
	case word == "authorize":
		way, err := Authorize(d)
		if err != nil {
			return err
		}
		to.Authorize = append(to.Authorize, way)
		lines[way] = line
	case word == "shape":
		s, err := shapeLine(d)
		if err != nil {
			return err
		}
		to.Shapes = append(to.Shapes, s)
		lines[s] = line
	case shape.IsVerb(word):
		r, err := route(d)
		if err != nil {
			return err
		}
		to.Routes = append(to.Routes, r)
		lines[r] = line
	default:
		return d.Errf("unknown option %q of webhooks_api; it takes upstream, authorize, shape, and the verbs %s", word, strings.Join(shape.VerbNames(), ", "))
	}
	return nil
}

// route reads a verb's line.
func route(d *caddyfile.Dispenser) (*syntax.Route, error) {
	r := &syntax.Route{Verb: d.Val()}
	args := d.RemainingArgs()
	rest := args
	if len(rest) > 0 && strings.ToLower(rest[0]) == rest[0] && !strings.HasPrefix(rest[0], "/") {
		r.Thing, rest = rest[0], rest[1:]
	}
	if len(rest) == 3 {
		status, err := strconv.Atoi(rest[2])
		if err != nil {
			return nil, d.Errf("%s: the status is a number as 202, not %q", r.Verb, rest[2])
		}
		r.Status, rest = status, rest[:2]
	}
	if len(rest) != 2 || !strings.HasPrefix(rest[1], "/") {
		return nil, d.Errf("%s takes methods and a path, as `%s POST /callbacks`, not `%s`", r.Verb, r.Verb, strings.Join(args, " "))
	}
	r.Methods, r.Path = strings.Split(rest[0], "|"), rest[1]
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch word := d.Val(); word {
		case "object":
			values := d.RemainingArgs()
			if len(values) != 1 || r.Object != "" {
				return nil, d.Err("object takes one resource, as `object processes`")
			}
			r.Object = values[0]
		case "authorize":
			way, err := Authorize(d)
			if err != nil {
				return nil, err
			}
			r.Authorize = append(r.Authorize, way)
		default:
			return nil, d.Errf("unknown option %q of %s; it takes object and authorize", word, r.Verb)
		}
	}
	return r, nil
}

// shapeLine reads what the members of a thing are called.
func shapeLine(d *caddyfile.Dispenser) (*syntax.Shape, error) {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return nil, d.Err("shape takes a thing and names, as `shape endpoint id callbackUrl=url`")
	}
	s := &syntax.Shape{Thing: args[0]}
	rest := args[1:]
	if len(rest) > 1 && rest[0] == "in" {
		s.In, rest = rest[1], rest[2:]
	}
	for _, text := range rest {
		name, path, _ := strings.Cut(text, "=")
		s.Fields = append(s.Fields, syntax.ShapeField{Name: name, Path: path})
	}
	return s, nil
}

// Lines holds on which lines the parts of an API stand.
type Lines map[any]caddyfile.Token

// Locate adds the line of the part that an error is about.
func (l Lines) Locate(d *caddyfile.Dispenser, err error) error {
	if err == nil {
		return nil
	}
	var wrong syntax.PartError
	if errors.As(err, &wrong) {
		if line, known := l[wrong.Part]; known {
			return fmt.Errorf("%w, at %s:%d", err, line.File, line.Line)
		}
	}
	return d.WrapErr(err)
}
