// SPDX-License-Identifier: Apache-2.0

// Command caddy is what xcaddy would generate for this module: Caddy with its
// standard modules and caddy-webhooks.
package main

import (
	_ "time/tzdata" // so that time zones work where the system has no database

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	// plug in Caddy modules here
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-webhooks/caddy-webhooks"
)

func main() {
	caddycmd.Main()
}
