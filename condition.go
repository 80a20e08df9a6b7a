// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// condition is a compiled [Condition].
type condition struct {
	value   value
	is, not []string
	matches *regexp.Regexp
}

func compileConditions(declared []*Condition) ([]condition, error) {
	compiled := make([]condition, 0, len(declared))
	for _, d := range declared {
		c := condition{is: d.Is, not: d.Not}
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

// holds tells whether the condition holds for a value, "" for none.
func (c *condition) holds(text string) bool {
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

// meets tells whether one value can fulfil both conditions, as far as they
// list their values. Of two expressions nothing can be said but whether they are
// the same; where they differ, and both match, the rule that stands first is
// taken.
func (c *condition) meets(other condition) bool {
	if c.matches != nil && other.matches != nil && c.matches.String() != other.matches.String() {
		return false
	}
	if len(c.is) > 0 && len(other.is) > 0 {
		return slices.ContainsFunc(c.is, func(text string) bool { return slices.Contains(other.is, text) })
	}
	return slices.Equal(c.not, other.not) && len(c.is) == len(other.is)
}

// answer is a compiled [Answer].
type answer struct {
	statuses []statusRange
	where    []condition
}

// statusRange is a class of HTTP statuses, or one of them.
type statusRange struct{ low, high int }

func (a *Answer) compile() (*answer, error) {
	if a == nil {
		return nil, nil
	}
	compiled := new(answer)
	for _, text := range a.Statuses {
		r, err := parseStatus(text)
		if err != nil {
			return nil, err
		}
		compiled.statuses = append(compiled.statuses, r)
	}
	var err error
	if compiled.where, err = compileConditions(a.Where); err != nil {
		return nil, err
	}
	for _, c := range compiled.where {
		if c.value.source != fromResponse {
			return nil, fmt.Errorf("%s: a condition on the response takes a path in its body", c.value.text)
		}
	}
	if len(compiled.statuses)+len(compiled.where) == 0 {
		return nil, fmt.Errorf("it takes statuses, as 2xx or 409, or `where` and a condition on the response")
	}
	return compiled, nil
}

func parseStatus(text string) (statusRange, error) {
	if len(text) == 3 && text[0] >= '2' && text[0] <= '5' {
		if text[1:] == "xx" {
			low := int(text[0]-'0') * 100
			return statusRange{low, low + 99}, nil
		}
		if n, err := strconv.Atoi(text); err == nil {
			return statusRange{n, n}, nil
		}
	}
	return statusRange{}, fmt.Errorf("%q is no HTTP status; write one, as 409, or a class, as 2xx", text)
}

// reads tells whether the response's body is needed.
func (a *answer) reads() bool {
	return a != nil && len(a.where) > 0
}

// lists tells whether the status is one of those listed; where none are, the
// usual meaning of the status decides.
func (a *answer) lists(status int, usual bool) bool {
	if len(a.statuses) == 0 {
		return usual
	}
	return slices.ContainsFunc(a.statuses, func(r statusRange) bool { return status >= r.low && status <= r.high })
}

// holds tells whether the conditions hold in a response.
func (a *answer) holds(json []byte) bool {
	for i := range a.where {
		if !a.where[i].holds(textAt(json, a.where[i].value.name)) {
			return false
		}
	}
	return true
}
