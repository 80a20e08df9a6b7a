// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// unmarshalEvent reads `TYPE on create|change|delete …`.
func unmarshalEvent(d *caddyfile.Dispenser, r *syntax.Resource, args []string) (*syntax.EventRule, error) {
	if len(args) < 3 || args[1] != "on" {
		return nil, d.Errf("event takes a type and a trigger, as `event %s.updated on change`", r.Name)
	}
	rule := &syntax.EventRule{Type: args[0], On: event.Op(args[2])}
	list := &rule.Paths
	for i := 3; i < len(args); i++ {
		switch arg := args[i]; {
		case arg == "when":
			if rule.When = strings.Join(args[i+1:], " "); rule.When == "" {
				return nil, d.Errf("event %s: when takes a condition in CEL, as `when \"object.amount > 100\"`", rule.Type)
			}
			i = len(args)
		case arg == "from" && rule.From == nil:
			rule.From = []string{}
			list = &rule.From
		case arg == "to" && rule.To == nil:
			rule.To = []string{}
			list = &rule.To
		default:
			*list = append(*list, arg)
		}
	}
	if rule.From != nil && len(rule.From) == 0 || rule.To != nil && len(rule.To) == 0 {
		return nil, d.Errf("event %s: from and to are followed by values, as `from pending to completed`", rule.Type)
	}
	r.Events = append(r.Events, rule)
	return rule, nil
}
