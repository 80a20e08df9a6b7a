// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/caddy-webhooks/caddy-webhooks/internal/command"
)

func init() {
	caddycmd.RegisterCommand(command.Webhooks())
}
