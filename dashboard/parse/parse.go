// SPDX-License-Identifier: Apache-2.0

// Package parse reads the Caddyfile of the dashboard.
package parse

import (
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard/syntax"
)

// Dashboard reads
//
//	webhooks_dashboard {
//	    authorize <tenant> [<name>]
//	    operators <claim> <values...>
//	    accounts [<name>]
//	    framed_by <sites...>
//	}
func Dashboard(d *caddyfile.Dispenser) (syntax.Dashboard, error) {
	var to syntax.Dashboard
	d.Next() // the directive's name
	if d.NextArg() {
		return to, d.Errf("unexpected %q after webhooks_dashboard; its options stand in a block", d.Val())
	}
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word, args := d.Val(), d.RemainingArgs()
		if seen[word] {
			return to, d.Errf("%s stands twice in webhooks_dashboard; keep one of them", word)
		}
		seen[word] = true
		switch {
		case word == "authorize" && (len(args) == 1 || len(args) == 2):
			to.Tenant = args[0]
			if len(args) == 2 {
				to.Name = args[1]
			}
		case word == "authorize":
			return to, d.Errf("authorize takes a placeholder for the tenant, and one for the name, as `authorize {http.auth.user.id}`, not `%s`", strings.Join(args, " "))
		case word == "operators" && len(args) > 1:
			to.Operators = &syntax.Operators{Claim: args[0], Values: args[1:]}
		case word == "operators":
			return to, d.Errf("operators takes a placeholder, and the values that it has for operators, as `operators {http.auth.user.id} mara`, not `%s`", strings.Join(args, " "))
		case word == "accounts" && len(args) <= 1:
			to.Accounts = &syntax.Accounts{Name: strings.Join(args, "")}
		case word == "accounts":
			return to, d.Errf("accounts takes a name, as `accounts \"Acme Webhooks\"`, not `%s`", strings.Join(args, " "))
		case word == "framed_by" && len(args) > 0:
			to.FramedBy = args
		case word == "framed_by":
			return to, d.Err("framed_by takes sites, as `framed_by https://portal.example.com`")
		default:
			return to, d.Errf("unknown option %q of webhooks_dashboard; it takes authorize, operators, accounts and framed_by", word)
		}
		// Here an error has the line of what is wrong.
		if err := to.Check(); err != nil && (to.Tenant != "" || to.Accounts != nil) {
			return to, d.WrapErr(err)
		}
	}
	if err := to.Check(); err != nil {
		return to, d.WrapErr(err)
	}
	return to, nil
}
