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
	return printCoverage(c.out, c.width, &report, time.Now())
}

// printCoverage prints the report as an operator reads it, within a width, 0 for any.
func printCoverage(out io.Writer, width int, report *admin.Coverage, now time.Time) error {
	if err := printUnmatched(out, report); err != nil {
		return err
	}
	var text strings.Builder
	if len(report.Words) > 0 {
		text.WriteString("Words without effect:\n")
	}
	for _, line := range report.Words {
		text.WriteString(sentence("- "+line.Name()+":", width) + below(line.Reason(), width))
	}
	for _, line := range coverageLines(report, now) {
		text.WriteString(sentence(line, width))
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// coverageLines returns what the report says besides, a sentence each.
func coverageLines(report *admin.Coverage, now time.Time) (lines []string) {
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for _, gap := range report.Gaps {
		add("Gap: %s, since %s, not made up for yet", gap.Resource, gap.Since.Format(time.RFC3339))
	}
	// Of lists, those that do not complete, or of which there is something to know.
	for _, l := range report.Lists {
		if l.Reason != "" {
			add("List of %s: tried in vain %d times since %s: %s", l.Resource, l.Tries, l.Since.Format(time.RFC3339), l.Reason)
		}
		if l.Note != "" {
			add("List of %s, %d objects: %s", l.Resource, l.Objects, l.Note)
		}
	}
	add("Changes whose object is not known: %d (caddy webhooks unresolved)", report.Unresolved)
	add("Exchanges under way or of unknown outcome: %d", report.OpenIntents)
	waiting := fmt.Sprintf("Objects that wait for reconciling: %d, tried in vain: %d", report.Marks, report.Failing)
	if !report.OldestMark.IsZero() {
		waiting += fmt.Sprintf(", the oldest for %s", now.Sub(report.OldestMark).Round(time.Second))
	}
	add("%s", waiting)
	if len(report.Unproven) > 0 {
		add("Without a version, so that nothing proves a Show fresh: %s", strings.Join(report.Unproven, " "))
	}
	if len(report.Unlisted) > 0 {
		add("Without a list, so that a gap may hide a create: %s", strings.Join(report.Unlisted, " "))
	}
	return lines
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
