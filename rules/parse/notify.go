// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// unmarshalNotify reads `url VALUE [authorization VALUE] [events TYPES…] [until
// CONDITION]`.
func unmarshalNotify(d *caddyfile.Dispenser, r *syntax.Resource, args []string) error {
	n := new(syntax.Notify)
	r.Notify = n
	for len(args) > 0 {
		var err error
		switch {
		case args[0] == "url" && len(args) > 1:
			n.URL, args = args[1], args[2:]
		case args[0] == "authorization" && len(args) > 1:
			n.Authorization, args = args[1], args[2:]
		case args[0] == "events" && len(args) > 1:
			args = args[1:]
			for len(args) > 0 && args[0] != "until" {
				n.Events, args = append(n.Events, args[0]), args[1:]
			}
		case args[0] == "until":
			if n.Until, err = parseCondition(d, args[1:]); err != nil {
				return err
			}
			args = nil
		default:
			return d.Errf("notify takes `url VALUE`, `authorization VALUE`, `events TYPES...` and `until CONDITION`, not %q", args[0])
		}
	}
	if n.URL == "" {
		return d.Err("notify takes where the receiver's URL stands in the request, as `notify url request:notificationUrl`")
	}
	return nil
}
