// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

// Webhooks returns `caddy webhooks`.
func Webhooks() caddycmd.Command {
	return caddycmd.Command{
		Name:  "webhooks",
		Usage: "status|events|deliveries|attempts|marks|unresolved|endpoints|coverage|look|list|dismiss|queue|resend|recover|replay|cancel|pause|resume",
		Short: "Shows what the webhooks of a running Caddy are doing, and acts on deliveries",
		Long: `
Shows what the webhooks of a running Caddy are doing, and acts on deliveries. It
asks Caddy's admin endpoint, since the queue belongs to the running process alone.

Lists are shown newest first, a page at a time; the last line of a page tells
how to see the next. With --json, the answer is printed as it comes.
`,
		CobraFunc: setupCommand,
	}
}

func setupCommand(cmd *cobra.Command) {
	cmd.PersistentFlags().String("address", "", "address of the admin endpoint, if not the configuration's or the default")
	cmd.PersistentFlags().StringP("config", "c", "", "configuration to take the address of the admin endpoint from")
	cmd.PersistentFlags().StringP("adapter", "a", "", "adapter of that configuration")
	cmd.PersistentFlags().Bool("json", false, "print the answer as JSON")
	for _, view := range commandViews {
		cmd.AddCommand(view.command())
	}
	cmd.AddCommand(queueCommand())
	for _, verb := range commandVerbs {
		cmd.AddCommand(verb.command())
	}
	cmd.AddCommand(endpointCommands()...)
	cmd.AddCommand(detectionCommands()...)
}

// commandView is one of the subcommands.
type commandView struct {
	name, short string
	filters     []string // names of the flags that narrow it
	paged       bool
	headings    []string
	row         func(map[string]any) []any
}

var commandViews = []commandView{
	{name: "status", short: "Counts what is in the queue"},
	{
		name: "events", short: "Lists events; with an id, shows one with its payload", paged: true,
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
			took := ""
			if ns, ok := t["duration_ns"].(json.Number); ok {
				n, _ := ns.Int64()
				took = time.Duration(n).Round(10 * time.Microsecond).String()
			}
			return []any{clock(t["at"]), t["event_id"], t["endpoint"], t["number"], t["code"], took, t["error"]}
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

func (v commandView) command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   v.name,
		Short: v.short,
		Args:  cobra.NoArgs,
		RunE:  caddycmd.WrapCommandFuncForCobra(v.run),
	}
	if v.name == "events" {
		cmd.Use, cmd.Args = "events [<id>]", cobra.MaximumNArgs(1)
	}
	for _, name := range v.filters {
		cmd.Flags().String(name, "", "show only those with this "+name)
	}
	if v.paged {
		cmd.Flags().String("cursor", "", "begin where the page before ended")
	}
	if v.headings != nil {
		cmd.Flags().Int("limit", 0, "how many to show (default 50, at most 1000)")
	}
	return cmd
}

func (v commandView) run(flags caddycmd.Flags) (int, error) {
	query := url.Values{}
	for _, name := range append([]string{"cursor"}, v.filters...) {
		if flags.Lookup(name) != nil && flags.String(name) != "" {
			query.Set(name, flags.String(name))
		}
	}
	if flags.Lookup("limit") != nil && flags.Int("limit") != 0 {
		query.Set("limit", strconv.Itoa(flags.Int("limit")))
	}
	uri := "/webhooks/" + v.name
	one := v.name == "events" && flags.Arg(0) != ""
	if one {
		uri += "/" + url.PathEscape(flags.Arg(0))
	}
	if len(query) > 0 {
		uri += "?" + query.Encode()
	}
	body, err := v.ask(flags, uri)
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	out := io.Writer(os.Stdout)
	if one || v.headings == nil || flags.Bool("json") {
		return caddy.ExitCodeSuccess, writeIndented(out, body)
	}
	return caddy.ExitCodeSuccess, v.table(out, body)
}

func separator(column int) string {
	if column == 0 {
		return ""
	}
	return "\t"
}

// clock shows a time as operators read it, in their zone.
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

func writeIndented(out io.Writer, body []byte) error {
	var indented bytes.Buffer
	if err := json.Indent(&indented, body, "", "  "); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	_, err := indented.WriteTo(out)
	return err
}

func (v commandView) ask(flags caddycmd.Flags, uri string) ([]byte, error) {
	address, err := caddycmd.DetermineAdminAPIAddress(flags.String("address"), nil, flags.String("config"), flags.String("adapter"))
	if err != nil {
		return nil, fmt.Errorf("finding the admin endpoint: %w", err)
	}
	response, err := caddycmd.AdminAPIRequest(address, http.MethodGet, uri, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("asking the admin endpoint: %w", err)
	}
	defer response.Body.Close()
	return io.ReadAll(io.LimitReader(response.Body, 64<<20))
}

func (v commandView) table(out io.Writer, body []byte) error {
	var page struct {
		Items []map[string]any `json:"items"`
		Next  string           `json:"next"`
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&page); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i, heading := range v.headings {
		fmt.Fprint(w, separator(i), heading)
	}
	fmt.Fprintln(w)
	for _, item := range page.Items {
		for i, value := range v.row(item) {
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
		fmt.Fprintf(out, "\nmore: caddy webhooks %s --cursor %s\n", v.name, page.Next)
	}
	return nil
}
