// SPDX-License-Identifier: Apache-2.0

package command

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
)

// detectionCommands returns the commands about detection.
func detectionCommands() []*cobra.Command {
	command := func(use, short, long string, args cobra.PositionalArgs, run func(caddycmd.Flags, []string) error) *cobra.Command {
		cmd := &cobra.Command{Use: use, Short: short, Long: long, Args: args}
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			return caddycmd.WrapCommandFuncForCobra(func(flags caddycmd.Flags) (int, error) {
				if err := run(flags, args); err != nil {
					return caddy.ExitCodeFailedStartup, err
				}
				return caddy.ExitCodeSuccess, nil
			})(cmd, args)
		}
		return cmd
	}
	lookAt := command("look <object>", "Has an object looked at, as items/42", `
Has an object's Show read and compared with what is known. With --deleted, a Show
that is gone proves that the object was deleted.
`, cobra.ExactArgs(1), func(flags caddycmd.Flags, args []string) error {
		query := url.Values{"object": args}
		if flags.Bool("deleted") {
			query.Set("deleted", "1")
		}
		return post(flags, "look", query)
	})
	lookAt.Flags().Bool("deleted", false, "the object was deleted, if its Show is gone")
	forget := command("dismiss [<id>]", "Forgets records of changes whose object is not known", `
Forgets a record that caddy webhooks unresolved lists, or with --before all that
are older.
`, cobra.MaximumNArgs(1), func(flags caddycmd.Flags, args []string) error {
		query := url.Values{}
		if len(args) == 1 {
			query.Set("id", args[0])
		}
		for _, name := range []string{"before", "resource"} {
			if text := flags.String(name); text != "" {
				query.Set(name, text)
			}
		}
		return post(flags, "dismiss", query)
	})
	forget.Flags().String("before", "", "forget all that are older than this time, as 2026-03-04T05:06:07Z")
	forget.Flags().String("resource", "", "of these, only those of this resource")
	return []*cobra.Command{
		command("coverage", "Shows what could be missed, and which rule would catch it", "", cobra.NoArgs, showCoverage),
		lookAt,
		command("list <resource>", "Has all objects of a resource listed", "", cobra.ExactArgs(1), func(flags caddycmd.Flags, args []string) error {
			return post(flags, "list", url.Values{"resource": args})
		}),
		forget,
	}
}

// post asks the admin endpoint to do something, and prints what it did.
func post(flags caddycmd.Flags, view string, query url.Values) error {
	address, err := caddycmd.DetermineAdminAPIAddress(flags.String("address"), nil, flags.String("config"), flags.String("adapter"))
	if err != nil {
		return fmt.Errorf("finding the admin endpoint: %w", err)
	}
	response, err := caddycmd.AdminAPIRequest(address, http.MethodPost, "/webhooks/"+view+"?"+query.Encode(), nil, nil)
	if err != nil {
		return fmt.Errorf("asking the admin endpoint: %w", err)
	}
	defer response.Body.Close()
	var answer admin.DoneView
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&answer); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	fmt.Fprintln(os.Stdout, "done:", answer.Done)
	return nil
}

func showCoverage(flags caddycmd.Flags, _ []string) error {
	body, err := commandView{}.ask(flags, "/webhooks/coverage")
	if err != nil {
		return err
	}
	if flags.Bool("json") {
		return writeIndented(os.Stdout, body)
	}
	var c admin.Coverage
	if err := json.Unmarshal(body, &c); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return printCoverage(os.Stdout, &c, time.Now())
}

// printCoverage writes the report as an operator reads it.
func printCoverage(out io.Writer, c *admin.Coverage, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(c.Unmatched) == 0 {
		fmt.Fprintln(w, "Every unsafe request matched a rule.")
	} else {
		fmt.Fprintln(w, "Unsafe requests that matched no rule:")
		fmt.Fprintln(w, "COUNT\tREQUEST\tLAST\tWOULD BE CAUGHT BY")
		for _, line := range c.Unmatched {
			fmt.Fprintf(w, "%d\t%s %s\t%s\t%s\n", line.Count, line.Method, line.Template, line.Last.Format(time.RFC3339), draft(line.Suggestion.Resource, line.Suggestion.Show, line.Suggestion.Rule))
		}
		if c.Other > 0 {
			fmt.Fprintf(w, "%d\tothers\n", c.Other)
		}
	}
	for _, one := range c.Gaps {
		fmt.Fprintf(w, "Gap: %s, since %s, not made up for yet\n", one.Resource, one.Since.Format(time.RFC3339))
	}
	fmt.Fprintf(w, "Changes whose object is not known: %d (caddy webhooks unresolved)\n", c.Unresolved)
	fmt.Fprintf(w, "Exchanges under way or of unknown outcome: %d\n", c.OpenIntents)
	fmt.Fprintf(w, "Objects that wait for reconciling: %d, tried in vain: %d", c.Marks, c.Failing)
	if !c.OldestMark.IsZero() {
		fmt.Fprintf(w, ", the oldest for %s", now.Sub(c.OldestMark).Round(time.Second))
	}
	fmt.Fprintln(w)
	if len(c.Unproven) > 0 {
		fmt.Fprintf(w, "Without a version, so that nothing proves a Show fresh: %s\n", strings.Join(c.Unproven, " "))
	}
	if len(c.Unlisted) > 0 {
		fmt.Fprintf(w, "Without a list, so that a gap may hide a create: %s\n", strings.Join(c.Unlisted, " "))
	}
	return w.Flush()
}

// draft writes a suggestion as it would stand in a Caddyfile.
func draft(resource, show, rule string) string {
	if resource == "" {
		return ""
	}
	parts := []string{}
	for _, part := range []string{show, rule} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return "resource " + resource + " { " + strings.Join(parts, "; ") + " }"
}
