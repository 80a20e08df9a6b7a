// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/body"
	"github.com/caddy-webhooks/caddy-webhooks/event/when"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
	"github.com/caddy-webhooks/caddy-webhooks/rules/where"
)

// compileExpression compiles a condition in CEL.
func compileExpression(d *syntax.Condition, answer bool) (c Condition, err error) {
	if d.Value != "" || len(d.Is)+len(d.Not) > 0 || d.Matches != "" || d.Exists {
		return c, fmt.Errorf("%s stands alone; write the rest of the condition into it, or as one more `where`", d)
	}
	c.text = d.String()
	c.cel, err = where.Compile(d.Expression, answer)
	return c, err
}

// readsBody reports whether an expression reads the request's body.
func (c *Condition) readsBody() bool {
	_, _, none := c.cel.Body()
	return !none
}

// holdsIn reports whether an expression holds in an answer. What cannot be decided does
// not hold.
func (c *Condition) holdsIn(status int, json []byte) (holds bool) {
	variables := map[string]any{where.Status: int64(status), where.Response: map[string]any{}}
	names, all, none := c.cel.Body()
	if none || len(json) == 0 {
		holds, _ = c.cel.Holds(variables)
		return holds
	}
	if all {
		names = nil
	}
	// Only a request can be refused room.
	_ = body.SpendOnAnswer(len(json), func() error {
		variables[where.Response] = when.Members(json, names)
		holds, _ = c.cel.Holds(variables)
		return nil
	})
	return holds
}

// hasNames refuses placeholders that the path does not have.
func (p *pattern) hasNames(names []string) error {
	for _, name := range names {
		if !slices.Contains(p.names, name) {
			return fmt.Errorf("path.%s is no placeholder of the path %s", name, p.text)
		}
	}
	return nil
}

// judge evaluates an expression on the request, whose path has some values, and adds to
// a verdict what is not sure. It reports false if no reader finds that it holds.
func (r *Request) judge(e *where.Expression, words []read, path *pattern, values []string, v *verdict) bool {
	variables, err := r.fields(e, path, values)
	if err != nil {
		v.unread = err
		return true
	}
	names, all, none := e.Body()
	defer r.noteRead(words)
	if none {
		return settle(e, variables, v)
	}
	reading, err := r.read()
	if err != nil {
		v.unread = err
		return true
	}
	if all {
		names = nil
	}
	if reading.IsBatch() && !all {
		r.batch = true
		return false // each of its members is judged
	}
	if len(reading.Documents) == 0 {
		variables[where.Request] = map[string]any{}
		return settle(e, variables, v)
	}
	v.unsure = v.unsure || reading.Doubt != nil
	held := 0
	for _, document := range reading.Documents {
		if body.Odd(document.JSON, names) {
			v.unread = errTwoMeaning
			return true
		}
		err := body.SpendOnRequest(len(document.JSON), func() error {
			variables[where.Request] = when.Members(document.JSON, names)
			if settle(e, variables, v) {
				held++
			}
			return nil
		})
		if err != nil {
			v.unread = fmt.Errorf("%w: %w", errUnread, err)
			return true
		}
	}
	v.unsure = v.unsure || held > 0 && held < len(reading.Documents)
	return held > 0
}

// settle evaluates an expression. It reports true if it may hold.
func settle(e *where.Expression, variables map[string]any, v *verdict) bool {
	holds, err := e.Holds(variables)
	if errors.Is(err, where.ErrUndecided) {
		v.unread = err
		return true
	}
	return holds
}

// fields returns what an expression reads of the request's path, query and header. It
// fails if readers find different texts there.
func (r *Request) fields(e *where.Expression, path *pattern, values []string) (map[string]any, error) {
	ofPath := make(map[string]string, len(values))
	for _, name := range e.Names(where.Path) {
		ofPath[name] = path.value(name, values)
	}
	variables := map[string]any{where.Path: ofPath}
	for _, from := range []struct {
		variable string
		source   Source
	}{{where.Query, FromQuery}, {where.Header, FromHeader}} {
		read := make(map[string]string)
		for _, name := range e.Names(from.variable) {
			v := Value{Source: from.source, Name: name}
			if from.source == FromHeader {
				v.Name = http.CanonicalHeaderKey(name)
			}
			texts, err := r.texts(v, true)
			switch {
			case err != nil:
				return nil, err
			case texts.Unsure, len(texts.All) > 1:
				return nil, errTwoMeaning
			case len(texts.All) == 1:
				read[name] = texts.All[0]
			}
		}
		variables[from.variable] = read
	}
	return variables, nil
}
