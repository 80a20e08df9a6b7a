// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// list is a subcommand that prints a page of a list of the admin API as a table.
type list struct {
	name, short string
	// filters are the parameters that narrow the list, each of which is a flag.
	filters []string
	// paged lists have a cursor, and byID shows one item with an argument.
	paged, byID bool
	headings    []string
	// row returns an item's values, one for each heading.
	row func(item map[string]any) []any
}

var lists = []list{
	{
		name: "events", short: "Lists events; with an id, shows one with its payload", paged: true, byID: true,
		filters:  []string{"type", "object", "event"},
		headings: []string{"TIME", "EVENT", "TYPE", "OBJECT", "SEQ", "FRESHNESS", "SIZE"},
		row: func(e map[string]any) []any {
			return []any{clock(e["time"]), e["id"], e["type"], e["object"], e["sequence"], e["freshness"], e["size"]}
		},
	},
	{
		name: "deliveries", short: "Lists deliveries", paged: true,
		filters:  []string{"type", "object", "event", "endpoint", "status"},
		headings: []string{"CREATED", "EVENT", "TYPE", "OBJECT", "ENDPOINT", "STATUS", "ATTEMPTS", "DUE"},
		row: func(d map[string]any) []any {
			return []any{clock(d["created_at"]), d["event_id"], d["event_type"], d["object"], d["endpoint"], d["status"], d["attempts"], clock(d["due_at"])}
		},
	},
	{
		name: "attempts", short: "Lists attempts", paged: true,
		filters:  []string{"event", "endpoint"},
		headings: []string{"TIME", "EVENT", "ENDPOINT", "NUMBER", "CODE", "TOOK", "ERROR"},
		row: func(t map[string]any) []any {
			return []any{clock(t["at"]), t["event_id"], t["endpoint"], t["number"], t["code"], took(t["duration_ns"]), t["error"]}
		},
	},
	{
		name: "endpoints", short: "Lists endpoints, and how they stand", paged: true,
		headings: []string{"ENDPOINT", "HOST", "STATUS", "PENDING", "EXPIRED", "IN FLIGHT", "FAILING SINCE", "FAILURES", "RETRY AT", "REASON"},
		row: func(e map[string]any) []any {
			return []any{e["name"], e["host"], e["status"], e["pending"], e["expired"], e["in_flight"], clock(e["failing_since"]), e["failures"], clock(e["retry_at"]), e["reason"]}
		},
	},
	{
		name: "marks", short: "Lists objects that wait for reconciling",
		headings: []string{"MARKED", "OBJECT", "RULE", "OUTCOME", "TRIES", "DUE", "LAST ERROR"},
		row: func(m map[string]any) []any {
			return []any{clock(m["marked_at"]), m["object"], m["rule"], m["outcome"], m["tries"], clock(m["due_at"]), m["last_error"]}
		},
	},
	{
		name: "unresolved", short: "Lists exchanges that changed something without telling which object", paged: true,
		headings: []string{"ID", "NOTED", "RESOURCE", "RULE", "REASON"},
		row: func(u map[string]any) []any {
			return []any{u["id"], clock(u["noted"]), u["resource"], u["rule"], u["reason"]}
		},
	},
}

func (l list) command() *cobra.Command {
	cmd := subcommand(&cobra.Command{Use: l.name, Short: l.short, Args: cobra.NoArgs}, l.run)
	if l.byID {
		cmd.Use, cmd.Args = l.name+" [<id>]", cobra.MaximumNArgs(1)
	}
	for _, name := range l.filters {
		cmd.Flags().String(name, "", "show only those with this "+name)
	}
	if l.paged {
		cmd.Flags().String("cursor", "", "begin where the page before ended")
	}
	cmd.Flags().Int("limit", 0, "how many to show (default 50, at most 1000)")
	return cmd
}

// run prints a page of the list, or the one item that an argument names.
func (l list) run(c call) error {
	path := "/webhooks/" + l.name
	if id := c.Arg(0); id != "" {
		return show(path + "/" + url.PathEscape(id))(c)
	}
	query := c.query(l.filters...)
	if l.paged && c.String("cursor") != "" {
		query.Set("cursor", c.String("cursor"))
	}
	if limit := c.Int("limit"); limit != 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	answer, err := client.read(path, query)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return c.printAnswer(answer)
	}
	return l.table(c.out, answer)
}

// table prints a page of the list, and the command that prints the next one.
func (l list) table(out io.Writer, answer []byte) error {
	var page struct {
		Items []map[string]any `json:"items"`
		Next  string           `json:"next"`
	}
	if err := decode(bytes.NewReader(answer), &page); err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i, heading := range l.headings {
		fmt.Fprint(w, separator(i), heading)
	}
	fmt.Fprintln(w)
	for _, item := range page.Items {
		for i, value := range l.row(item) {
			if value == nil {
				value = ""
			}
			fmt.Fprint(w, separator(i), value)
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if page.Next != "" {
		fmt.Fprintf(out, "\nmore: caddy webhooks %s --cursor %s\n", l.name, page.Next)
	}
	return nil
}

func separator(column int) string {
	if column == 0 {
		return ""
	}
	return "\t"
}

// clock returns a time of an answer as operators read it, in their zone.
func clock(value any) string {
	text, ok := value.(string)
	if !ok {
		return ""
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return text
	}
	return at.Local().Format("2006-01-02 15:04:05.000")
}

// took returns a number of nanoseconds of an answer as operators read it.
func took(value any) string {
	number, ok := value.(json.Number)
	if !ok {
		return ""
	}
	ns, _ := number.Int64()
	return time.Duration(ns).Round(10 * time.Microsecond).String()
}
