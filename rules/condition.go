// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/body"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/effect"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
	"github.com/caddy-webhooks/caddy-webhooks/rules/where"
)

// Condition says which text a value may have: one of `is`, none of `not`, one
// that `matches` an expression, or any but the empty text (`exists`).
type Condition struct {
	value   Value
	is, not []string
	matches *regexp.Regexp
	// cel is an expression in place of all that, or nil.
	cel  *where.Expression
	text string
	// word notes whether there ever is a value, nil for nobody to be told; with cel,
	// words do of what it reads.
	word  *effect.Word
	words []read
}

// compileConditions compiles conditions on a request, or on an answer.
func compileConditions(declared []*syntax.Condition, answer bool) ([]Condition, error) {
	compiled := make([]Condition, 0, len(declared))
	for _, d := range declared {
		if d.Expression != "" {
			c, err := compileExpression(d, answer)
			if err != nil {
				return nil, err
			}
			compiled = append(compiled, c)
			continue
		}
		c := Condition{is: d.Is, not: d.Not, text: d.String()}
		var err error
		if c.value, err = parseValue(d.Value); err != nil {
			return nil, err
		}
		ways := 0
		for _, way := range []bool{len(d.Is) > 0, len(d.Not) > 0, d.Matches != "", d.Exists} {
			if way {
				ways++
			}
		}
		if ways != 1 {
			return nil, fmt.Errorf("%s takes one of `is VALUES`, `not VALUES`, `matches EXPRESSION` and `exists`", d.Value)
		}
		if d.Matches != "" {
			if c.matches, err = regexp.Compile(d.Matches); err != nil {
				return nil, fmt.Errorf("%s matches: %w", d.Value, err)
			}
		}
		compiled = append(compiled, c)
	}
	return compiled, nil
}

// compileUntil compiles a condition on a Show.
func compileUntil(declared *syntax.Condition) (*Condition, error) {
	if declared.Expression != "" {
		return nil, errors.New("until takes a path in Show and its values, as `state in completed cancelled`, and no expression")
	}
	compiled, err := compileConditions([]*syntax.Condition{declared}, true)
	if err != nil {
		return nil, err
	}
	if compiled[0].value.Source != FromResponse {
		return nil, fmt.Errorf("until takes a path in Show, not %s", declared.Value)
	}
	return &compiled[0], nil
}

// String returns the condition as a Caddyfile has it.
func (c *Condition) String() string { return c.text }

// HoldsIn reports whether a condition on a Show holds in one.
func (c *Condition) HoldsIn(document event.Document) bool {
	return c.holds(body.Text(document.JSON(), c.value.Name))
}

// holds reports whether the condition holds for a text, "" for no value.
func (c *Condition) holds(text string) bool {
	switch {
	case len(c.is) > 0:
		return slices.Contains(c.is, text)
	case len(c.not) > 0:
		return !slices.Contains(c.not, text)
	case c.matches != nil:
		return c.matches.MatchString(text)
	}
	return text != ""
}

// meets reports whether one text can fulfil both conditions, as far as that can
// be known. Two different expressions count as if none could: if both match, the
// rule that is declared first is taken.
func (c *Condition) meets(other Condition) bool {
	if c.cel != nil || other.cel != nil {
		return c.text == other.text
	}
	if c.matches != nil && other.matches != nil && c.matches.String() != other.matches.String() {
		return false
	}
	if len(c.is) > 0 && len(other.is) > 0 {
		return slices.ContainsFunc(c.is, func(text string) bool { return slices.Contains(other.is, text) })
	}
	return slices.Equal(c.not, other.not) && len(c.is) == len(other.is)
}
