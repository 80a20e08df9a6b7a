// SPDX-License-Identifier: Apache-2.0

package command

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
)

// keyList is the list of a tenant's API keys.
var keyList = list{
	name: "list", path: "keys", argument: "tenant", short: "Lists the API keys of a tenant", paged: true,
	headings: []string{"ID", "NAME", "CREATED", "EXPIRES", "USED", "BY"},
	row: func(k map[string]any) []any {
		return []any{k["id"], k["name"], clock(k["created"]), clock(k["expires"]), clock(k["used"]), k["by"]}
	},
}

// keysCommand returns `caddy webhooks keys`, which looks after the API keys of tenants.
func keysCommand() *cobra.Command {
	add := subcommand(&cobra.Command{
		Use: "add <tenant>", Short: "Makes an API key for a tenant, and prints it once", Args: cobra.ExactArgs(1),
		Long: `
Makes an API key for a tenant, and prints it. It cannot be read again: only its hash is kept.

Whoever has the key can do with the tenant's webhooks what the tenant can. With --quiet nothing but the key is printed,
for a program that keeps it.
`,
		Example: `  caddy webhooks keys add acme --name ci --expires 365d
  caddy webhooks keys add acme --quiet > key`,
	}, addKey)
	add.Flags().String("name", "", "what the key is for, for those who look")
	add.Flags().String("expires", "", "how long the key is valid, as 90d (default: until it is deleted)")
	add.Flags().BoolP("quiet", "q", false, "print the key alone")

	remove := subcommand(&cobra.Command{
		Use: "delete <id>", Short: "Ends an API key at once", Args: cobra.ExactArgs(1),
		Long:    "Ends an API key at once, by the id that caddy webhooks keys list shows. It does not take the key itself, which would stay in the shell's history and in logs.",
		Example: `  caddy webhooks keys delete key_5d0c1f2a3b4c5d6e7f80`,
	}, deleteKey)

	parent := &cobra.Command{
		Use:   "keys",
		Short: "Looks after the API keys of tenants: list, add, delete",
		Long:  "Looks after the API keys with which tenants use the subscribers' API, where it has authorize key.",
	}
	parent.AddCommand(keyList.command(), add, remove)
	group(parent)
	return parent
}

// addKey makes a key and prints it, which can be done only once.
func addKey(c call) error {
	if c.Bool("json") {
		if err := c.without("--json prints the key with all that is known of it", "quiet"); err != nil {
			return err
		}
	}
	query := c.query("name")
	query.Set("tenant", c.Arg(0))
	if text := c.String("expires"); text != "" {
		if d, err := caddy.ParseDuration(text); err != nil || d <= 0 {
			return fmt.Errorf("--expires is how long the key is valid, as 90d, not %q", text)
		}
		query.Set("for", text)
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	var key admin.KeyView
	if err := client.do(http.MethodPost, "/webhooks/keys", query, nil, &key); err != nil {
		return err
	}
	if err := c.printKey(&key); err != nil {
		return fmt.Errorf("the key %s was made, but could not be printed: %w; end it with caddy webhooks keys delete %s", key.ID, err, key.ID)
	}
	return nil
}

// printKey prints a new key.
func (c call) printKey(key *admin.KeyView) error {
	if c.Bool("quiet") {
		_, err := fmt.Fprintln(c.out, key.Key)
		return err
	}
	if c.Bool("json") {
		return c.printJSON(key)
	}
	expires := ""
	if !key.Expires.IsZero() {
		expires = key.Expires.Local().Format(clockLayout)
	}
	err := printFields(c.out, c.width, []field{
		{"key", key.Key}, {"id", key.ID}, {"tenant", key.Tenant}, {"name", key.Name}, {"expires", expires},
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(c.out, "\n"+sentence("Keep the key: it cannot be read again.", c.width))
	return err
}

// deleteKey ends a key.
func deleteKey(c call) error {
	id := c.Arg(0)
	if strings.HasPrefix(id, admin.KeyPrefix) {
		return errors.New("that is the key itself; name it by its id, as caddy webhooks keys list shows it")
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	if err := client.delete("/webhooks/keys/"+url.PathEscape(id), "the key "+id+" may be valid"); err != nil {
		return err
	}
	return c.report(map[string]string{"deleted": id}, fmt.Sprintf("Key %s is deleted.\n", id))
}
