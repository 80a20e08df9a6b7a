// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
)

// detectionCommands returns the commands about changes that could be missed.
func detectionCommands() []*cobra.Command {
	look := subcommand(&cobra.Command{
		Use: "look <object>", Short: "Has an object looked at, as items/42", Args: cobra.ExactArgs(1),
		Long: `
Has an object's Show read and compared with what is known, and says what came of
it. With --deleted, a Show that is gone proves that the object was deleted.
`,
	}, func(c call) error {
		query := url.Values{"object": c.Args()}
		if c.Bool("deleted") {
			query.Set("deleted", "1")
		}
		return c.look("look", query)
	})
	look.Flags().Bool("deleted", false, "the object was deleted, if its Show is gone")
	list := subcommand(&cobra.Command{
		Use: "list <resource>", Short: "Has all objects of a resource listed", Args: cobra.ExactArgs(1),
		Long: `
Has all objects of a resource listed, and says what came of it. Those that differ
from what is known are read and compared after that.
`,
	}, func(c call) error {
		return c.look("list", url.Values{"resource": c.Args()})
	})
	for _, cmd := range []*cobra.Command{look, list} {
		cmd.Flags().Duration("wait", outcomeWait, "how long to wait for what comes of it, at most 1m; 0 for not at all")
	}
	return []*cobra.Command{
		subcommand(&cobra.Command{
			Use: "coverage", Short: "Shows what could be missed, and which rule would catch it", Args: cobra.NoArgs,
		}, showCoverage),
		look, list, dismissCommand(),
	}
}

func dismissCommand() *cobra.Command {
	dismiss := subcommand(&cobra.Command{
		Use: "dismiss [<id>]", Short: "Forgets records of changes whose object is not known", Args: cobra.MaximumNArgs(1),
		Long: `
Forgets a record that caddy webhooks unresolved lists, or with --before all that
are older.
`,
	}, func(c call) error {
		query := c.query("before", "resource")
		if c.NArg() == 1 {
			query.Set("id", c.Arg(0))
		}
		client, err := c.client()
		if err != nil {
			return err
		}
		var done admin.DoneView
		if err := client.do(http.MethodPost, "/webhooks/dismiss", query, nil, &done); err != nil {
			return err
		}
		return c.report(done, counted(done.Done, "record")+" forgotten.\n")
	})
	dismiss.Flags().String("before", "", "forget all that are older than this time, as 2026-03-04T05:06:07Z, or 3h or 2d ago")
	dismiss.Flags().String("resource", "", "of these, only those of this resource")
	return dismiss
}

func showCoverage(c call) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	answer, err := client.read("/webhooks/coverage", nil)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return c.printAnswer(answer)
	}
	var report admin.Coverage
	if err := decode(bytes.NewReader(answer), &report); err != nil {
		return err
	}
	return printCoverage(c.out, &report, time.Now())
}

// printCoverage prints the report as an operator reads it.
func printCoverage(out io.Writer, report *admin.Coverage, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if err := printUnmatched(out, report); err != nil {
		return err
	}
	if len(report.Words) > 0 {
		fmt.Fprintln(w, "Words without effect:")
	}
	for _, line := range report.Words {
		fmt.Fprintf(w, "- %s:\n  %s\n", line.Name(), line.Reason())
	}
	for _, gap := range report.Gaps {
		fmt.Fprintf(w, "Gap: %s, since %s, not made up for yet\n", gap.Resource, gap.Since.Format(time.RFC3339))
	}
	printListings(w, report)
	fmt.Fprintf(w, "Changes whose object is not known: %d (caddy webhooks unresolved)\n", report.Unresolved)
	fmt.Fprintf(w, "Exchanges under way or of unknown outcome: %d\n", report.OpenIntents)
	fmt.Fprintf(w, "Objects that wait for reconciling: %d, tried in vain: %d", report.Marks, report.Failing)
	if !report.OldestMark.IsZero() {
		fmt.Fprintf(w, ", the oldest for %s", now.Sub(report.OldestMark).Round(time.Second))
	}
	fmt.Fprintln(w)
	if len(report.Unproven) > 0 {
		fmt.Fprintf(w, "Without a version, so that nothing proves a Show fresh: %s\n", strings.Join(report.Unproven, " "))
	}
	if len(report.Unlisted) > 0 {
		fmt.Fprintf(w, "Without a list, so that a gap may hide a create: %s\n", strings.Join(report.Unlisted, " "))
	}
	return w.Flush()
}

// printListings prints the lists that do not complete, or of which there is something to
// know.
func printListings(w io.Writer, report *admin.Coverage) {
	for _, l := range report.Lists {
		if l.Reason != "" {
			fmt.Fprintf(w, "List of %s: tried in vain %d times since %s: %s\n", l.Resource, l.Tries, l.Since.Format(time.RFC3339), l.Reason)
		}
		if l.Note != "" {
			fmt.Fprintf(w, "List of %s, %d objects: %s\n", l.Resource, l.Objects, l.Note)
		}
	}
}

// printUnmatched prints the requests that matched no rule, and drafts of rules for them.
func printUnmatched(out io.Writer, report *admin.Coverage) error {
	since := report.Since.Format(time.RFC3339)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(report.Unmatched) == 0 {
		_, err := fmt.Fprintf(out, "Every unsafe request since %s matched a rule.\n", since)
		return err
	}
	fmt.Fprintf(w, "Unsafe requests since %s that matched no rule:\n", since)
	fmt.Fprintln(w, "COUNT\tLAST\tREQUEST")
	for _, line := range report.Unmatched {
		fmt.Fprintf(w, "%d\t%s\t%s %s\n", line.Count, line.Last.Format(time.RFC3339), line.Method, line.Template)
	}
	if report.Other > 0 {
		fmt.Fprintf(w, "%d\t\tothers\n", report.Other)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	// A tab stays a tab in what is to be pasted.
	_, err := fmt.Fprintln(out, drafts(report))
	return err
}

// drafts returns rules for the requests that matched none, as they stand in a Caddyfile.
func drafts(report *admin.Coverage) string {
	var names []string
	shows, rules := make(map[string]string), make(map[string][]string)
	for _, line := range report.Unmatched {
		s := line.Suggestion
		if s.Resource == "" {
			continue
		}
		if rules[s.Resource] == nil {
			names = append(names, s.Resource)
		}
		if shows[s.Resource] == "" {
			shows[s.Resource] = s.Show
		}
		rules[s.Resource] = append(rules[s.Resource], s.Rule)
	}
	var text strings.Builder
	for _, name := range names {
		lines := rules[name]
		if slices.Contains(report.Resources, name) {
			fmt.Fprintf(&text, "\nWould be caught by, in the resource %s:\n\n", name)
		} else {
			fmt.Fprintf(&text, "\nWould be caught by, in the handler:\n\n")
			if shows[name] != "" {
				lines = append([]string{shows[name]}, lines...)
			}
			lines = append(append([]string{"resource " + name + " {"}, indented(lines)...), "}")
		}
		text.WriteString(strings.Join(indented(lines), "\n") + "\n")
	}
	text.WriteString("\nWhat changes nothing, such as a search: ignore METHOD PATH, in the handler.\n")
	return text.String()
}

// indented returns lines with a tab before each.
func indented(lines []string) []string {
	all := make([]string, len(lines))
	for i, line := range lines {
		all[i] = "\t" + line
	}
	return all
}
