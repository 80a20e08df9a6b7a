// SPDX-License-Identifier: Apache-2.0

package syntax

import (
	"strconv"
	"strings"
)

// Condition says which value a request or response must have at a place.
type Condition struct {
	// Value is where to look: `request:PATH`, `query:NAME`, `header:NAME`,
	// `:NAME`, or a path in the response.
	Value string `json:"value,omitempty"`

	// Expression is a condition in CEL, in place of all others. Of a request, it
	// sees `request` (the body), `path`, `query` and `header`; of an answer,
	// `response` (the body) and `status`. What reads a member that is not there
	// does not hold.
	Expression string `json:"expression,omitempty"`

	// Is lists the values one of which must stand there. An empty one means that
	// there is no value.
	Is []string `json:"is,omitempty"`

	// Not lists values none of which may stand there.
	Not []string `json:"not,omitempty"`

	// Matches is a regular expression (RE2) that the value must match.
	Matches string `json:"matches,omitempty"`

	// Exists says that there must be a value, whatever it is. An object, an
	// array and `false` are values, `null` and an empty text are none.
	Exists bool `json:"exists,omitempty"`
}

// String returns the condition as a Caddyfile has it.
func (c Condition) String() string {
	switch {
	case c.Expression != "":
		return strconv.Quote(c.Expression)
	case len(c.Is) == 1 && c.Is[0] == "":
		return c.Value + " not exists"
	case len(c.Is) > 0:
		return c.Value + " is " + strings.Join(c.Is, " ")
	case len(c.Not) > 0:
		return c.Value + " not " + strings.Join(c.Not, " ")
	case c.Matches != "":
		return c.Value + " matches " + c.Matches
	}
	return c.Value + " exists"
}

// Answer describes responses that have a meaning: by their status, and by their
// body.
type Answer struct {
	// Statuses are HTTP statuses, such as `409`, and classes of them, such as
	// `2xx`. Default: those that have the meaning without this.
	Statuses []string `json:"statuses,omitempty"`

	// Where are conditions on the response's body. All of them must hold, too.
	Where []*Condition `json:"where,omitempty"`
}
