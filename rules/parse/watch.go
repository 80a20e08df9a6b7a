// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// unmarshalWatch reads `every DURATION until CONDITION`.
func unmarshalWatch(d *caddyfile.Dispenser, r *syntax.Resource, args []string) error {
	if len(args) < 2 || args[0] != "every" {
		return d.Err("watch takes how often and until when, as `watch every 30s until state in completed cancelled`")
	}
	every, err := caddy.ParseDuration(args[1])
	if err != nil || every <= 0 {
		return d.Errf("watch every takes a duration, as 30s or 2h, not %q", args[1])
	}
	r.Watch = &syntax.Watch{Every: caddy.Duration(every)}
	if len(args) == 2 {
		return d.Err("watch has no end, and would look at every object for ever; " +
			"add the state in which an object does not change any more, as `until state in completed cancelled`")
	}
	if args[2] != "until" {
		return d.Errf("watch: expected `until`, not %q", args[2])
	}
	r.Watch.Until, err = parseCondition(d, args[3:])
	return err
}
