// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// Ignored reads which requests change nothing, and notes where that stands.
func Ignored(d *caddyfile.Dispenser, lines Lines) (*syntax.Ignored, error) {
	line, args := d.Token(), d.RemainingArgs()
	if len(args) != 2 {
		return nil, d.Err("ignore takes methods and a path, as `ignore POST /login`")
	}
	ignored := &syntax.Ignored{Path: args[1]}
	if args[0] != "*" {
		ignored.Methods = strings.Split(args[0], "|")
	}
	if lines[""] == nil {
		lines[""] = make(map[any]caddyfile.Token)
	}
	lines[""][ignored] = line
	return ignored, nil
}
