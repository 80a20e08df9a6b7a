// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
)

// userList is the list of those who may log in to the dashboard.
var userList = list{
	name: "list", path: "users", short: "Lists the users of the dashboard", paged: true,
	filters:  []string{"tenant"},
	headings: []string{"NAME", "TENANT", "STATUS", "FACTORS", "LOGIN", "LINK ENDS", "CREATED", "ID"},
	row: func(u map[string]any) []any {
		tenant := u["tenant"]
		if u["operator"] == true {
			tenant = "(operator)"
		}
		return []any{u["name"], tenant, u["status"], joined(u["factors"]), clock(u["login"]), clock(u["link_ends"]), clock(u["created"]), u["id"]}
	},
}

// usersCommand returns `caddy webhooks users`, which looks after who may log in to the
// dashboard.
func usersCommand() *cobra.Command {
	add := subcommand(&cobra.Command{
		Use: "add <name>", Short: "Makes a user of the dashboard, and prints a one-time link", Args: cobra.ExactArgs(1),
		Long: `
Makes a user of the dashboard, of a tenant or as an operator, and prints the link by which the user sets a password. The
link works once, and can be printed only now. Give it to the user by a way that you trust: who opens it first has the
account.

With --dashboard, the address of the dashboard, the link is whole. With --quiet nothing but the link is printed.
`,
		Example: `  caddy webhooks users add mara --tenant acme --dashboard https://example.com
  caddy webhooks users add root --operator --expires 1h`,
	}, addUser)
	add.Flags().String("tenant", "", "whose webhooks the user sees")
	add.Flags().Bool("operator", false, "the user is an operator, and of no tenant")
	addLinkFlags(add)

	reset := subcommand(&cobra.Command{
		Use: "reset <name>", Short: "Has a user begin anew, and prints a one-time link", Args: cobra.ExactArgs(1),
		Long: `
Has a user set a password and a second factor anew, by the link that it prints. What the user had ends at once: the
password, the authenticator app, passkeys, recovery codes, and all sessions.
`,
		Example: `  caddy webhooks users reset mara --dashboard https://example.com`,
	}, resetUser)
	addLinkFlags(reset)

	remove := subcommand(&cobra.Command{
		Use: "remove <name>", Short: "Removes a user of the dashboard", Args: cobra.ExactArgs(1),
		Long:    "Removes a user of the dashboard, whose sessions end at once. What the user has made stays.",
		Example: `  caddy webhooks users remove mara`,
	}, removeUser)

	parent := &cobra.Command{
		Use:   "users",
		Short: "Looks after the users of the dashboard: list, add, reset, remove",
		Long:  "Looks after those who may log in to the dashboard, where it knows its users itself.",
	}
	parent.AddCommand(userList.command(), add, reset, remove)
	group(parent)
	return parent
}

func addLinkFlags(cmd *cobra.Command) {
	cmd.Flags().String("expires", "", "how long the link works, as 24h (default 3d, at most 30d)")
	cmd.Flags().String("dashboard", "", "address of the dashboard, for the link, as https://hooks.example.com")
	cmd.Flags().BoolP("quiet", "q", false, "print the link alone")
}

// addUser makes a user.
func addUser(c call) error {
	query := c.query("tenant")
	switch tenant, operator := c.String("tenant"), c.Bool("operator"); {
	case tenant == "" && !operator:
		return fmt.Errorf("say whose webhooks the user sees: --tenant TENANT, or --operator")
	case tenant != "" && operator:
		return fmt.Errorf("a user is of a tenant, or an operator: --tenant and --operator do not go together")
	case operator:
		query.Set("operator", "true")
	}
	query.Set("name", c.Arg(0))
	return c.link("/webhooks/users", query)
}

// resetUser has a user begin anew.
func resetUser(c call) error {
	return c.link("/webhooks/users/"+url.PathEscape(c.Arg(0))+"/reset", url.Values{})
}

// link makes a link by a request, and prints it, which can be done only once.
func (c call) link(path string, query url.Values) error {
	if c.Bool("json") {
		if err := c.without("--json prints all that is known of the user", "quiet"); err != nil {
			return err
		}
	}
	if text := c.String("expires"); text != "" {
		if d, err := caddy.ParseDuration(text); err != nil || d <= 0 {
			return fmt.Errorf("--expires is how long the link works, as 24h, not %q", text)
		}
		query.Set("for", text)
	}
	dashboard, err := c.dashboard()
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	var user admin.UserView
	if err := client.do(http.MethodPost, path, query, nil, &user); err != nil {
		return err
	}
	if err := c.printLink(&user, dashboard); err != nil {
		return fmt.Errorf("the link of %s was made, but could not be printed: %w; make another one with caddy webhooks users reset %s", user.Name, err, user.Name)
	}
	return nil
}

// dashboard returns the address of the dashboard, "" if it is not said.
func (c call) dashboard() (string, error) {
	text := c.String("dashboard")
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("--dashboard is the address of the dashboard, as https://hooks.example.com/webhooks, not %q", text)
	}
	return strings.TrimRight(text, "/"), nil
}

// printLink prints the link of a user.
func (c call) printLink(user *admin.UserView, dashboard string) error {
	link := dashboard + "/account/welcome#" + user.Code
	switch {
	case c.Bool("quiet"):
		_, err := fmt.Fprintln(c.out, link)
		return err
	case c.Bool("json"):
		return c.printJSON(struct {
			*admin.UserView
			Link string `json:"link"`
		}{user, link})
	}
	tenant := user.Tenant
	if user.Operator {
		tenant = "(operator)"
	}
	err := printFields(c.out, c.width, []field{
		{"link", link}, {"works until", user.LinkEnds.Local().Format(clockLayout)}, {"name", user.Name}, {"tenant", tenant}, {"id", user.ID},
	})
	if err != nil {
		return err
	}
	text := "Give the link to the user by a way that you trust: who opens it first has the account."
	if dashboard == "" {
		text += " It begins with the address of your dashboard."
	}
	_, err = fmt.Fprint(c.out, "\n"+sentence(text, c.width))
	return err
}

// removeUser removes a user.
func removeUser(c call) error {
	name := c.Arg(0)
	client, err := c.client()
	if err != nil {
		return err
	}
	if err := client.delete("/webhooks/users/"+url.PathEscape(name), name+" may be a user"); err != nil {
		return err
	}
	return c.report(map[string]string{"removed": name}, fmt.Sprintf("User %s is removed.\n", name))
}
