// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// parseCondition reads a value and what must stand there.
func parseCondition(d *caddyfile.Dispenser, args []string) (*syntax.Condition, error) {
	if len(args) == 1 && strings.ContainsAny(args[0], " ()=<>&|!") {
		return &syntax.Condition{Expression: args[0]}, nil
	}
	if len(args) >= 2 {
		c := &syntax.Condition{Value: args[0]}
		switch rest := args[2:]; {
		case (args[1] == "is" || args[1] == "in") && len(rest) > 0:
			c.Is = rest
			return c, nil
		case args[1] == "not" && len(rest) == 1 && rest[0] == "exists":
			c.Is = []string{""}
			return c, nil
		case args[1] == "not" && len(rest) > 0:
			c.Not = rest
			return c, nil
		case args[1] == "matches" && len(rest) == 1:
			c.Matches = rest[0]
			return c, nil
		case args[1] == "exists" && len(rest) == 0:
			c.Exists = true
			return c, nil
		}
	}
	return nil, d.Errf("a condition is a value and `is VALUES...`, `not VALUES...`, `matches EXPRESSION`, `exists` or `not exists`, as `state in paid cancelled`, or an expression of CEL in quotes, as \"request.amount > 0\"; not `%s`",
		strings.Join(args, " "))
}

// unmarshalAnswer reads `[STATUSES...] [where CONDITION]`.
func unmarshalAnswer(d *caddyfile.Dispenser, word string, args []string, to **syntax.Answer) error {
	if *to == nil {
		*to = new(syntax.Answer)
	}
	statuses, rest := args, []string(nil)
	if at := slices.Index(args, "where"); at >= 0 {
		statuses, rest = args[:at], args[at+1:]
	}
	(*to).Statuses = append((*to).Statuses, statuses...)
	if rest != nil {
		condition, err := parseCondition(d, rest)
		if err != nil {
			return err
		}
		(*to).Where = append((*to).Where, condition)
	}
	if err := rules.CheckAnswer(*to); err != nil {
		return d.Errf("%s: %v", word, err)
	}
	return nil
}
