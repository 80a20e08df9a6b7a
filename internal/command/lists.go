// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// list is a subcommand that prints a page of a list of the admin API as a table.
type list struct {
	name, short string
	// path is that of the list below /webhooks/, if it is not its name.
	path string
	// argument is the parameter that the command's one argument gives, "" if it takes
	// none.
	argument string
	// optional lets the argument be left out: then the list is that of all.
	optional bool
	// filters are the parameters that narrow the list, each of which is a flag.
	filters []string
	// paged lists have a cursor, and byID shows one item with an argument.
	paged, byID bool
	// headings are those of the columns, the most important ones first: the last
	// ones are what a narrow terminal has no room for.
	headings []string
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
		headings: []string{"CREATED", "EVENT", "ENDPOINT", "STATUS", "ATTEMPTS", "TYPE", "OBJECT", "DUE", "LAST ERROR"},
		row: func(d map[string]any) []any {
			return []any{
				clock(d["created_at"]), d["event_id"], d["endpoint"], d["status"], d["attempts"], d["event_type"], d["object"],
				clock(d["due_at"]), d["last_error"],
			}
		},
	},
	{
		name: "attempts", short: "Lists attempts", paged: true,
		filters:  []string{"event", "endpoint"},
		headings: []string{"TIME", "EVENT", "ENDPOINT", "CODE", "NUMBER", "TOOK", "ERROR"},
		row: func(t map[string]any) []any {
			return []any{clock(t["at"]), t["event_id"], t["endpoint"], t["code"], t["number"], took(t["duration_ns"]), t["error"]}
		},
	},
	{
		name: "tenants", short: "Lists who has endpoints or API keys, and how many", paged: true,
		headings: []string{"TENANT", "ENDPOINTS", "CONFIGURED", "KEYS", "PENDING", "DEAD"},
		row: func(t map[string]any) []any {
			name := t["name"]
			if name == "" {
				name = "(no tenant)"
			}
			return []any{name, t["endpoints"], t["declared"], t["keys"], t["pending"], orMore(t["dead"], t["dead_at_least"])}
		},
	},
	{
		name: "marks", short: "Lists objects that wait for reconciling",
		headings: []string{"MARKED", "OBJECT", "TRIES", "DUE", "OUTCOME", "RULE", "LAST ERROR"},
		row: func(m map[string]any) []any {
			return []any{clock(m["marked_at"]), m["object"], m["tries"], clock(m["due_at"]), m["outcome"], m["rule"], m["last_error"]}
		},
	},
	{
		name: "unresolved", short: "Lists exchanges that changed an object without naming it", paged: true,
		headings: []string{"ID", "NOTED", "RESOURCE", "RULE", "REASON"},
		row: func(u map[string]any) []any {
			return []any{u["id"], clock(u["noted"]), u["resource"], u["rule"], u["reason"]}
		},
	},
	{
		name: "audit", short: "Lists who changed what tenants have", paged: true,
		filters:  []string{"tenant"},
		headings: []string{"TIME", "TENANT", "ACTION", "OBJECT", "WHO", "CHANGED", "FROM"},
		row: func(a map[string]any) []any {
			who := a["who"]
			if by, has := a["by"]; has { // an operator whose name is known
				who = fmt.Sprint(who, " ", by)
			}
			return []any{clock(a["at"]), a["tenant"], a["action"], a["object"], who, joined(a["changed"]), a["from"]}
		},
	},
}

// filterNames are the names that filters can have.
var filterNames = map[string]func(call) ([]string, error){
	"endpoint": endpointNames,
	"type":     typeNames,
	"tenant":   func(c call) ([]string, error) { return tenantNames(c, nil) },
	"status": func(call) ([]string, error) {
		return []string{string(queue.StatusPending), string(queue.StatusDelivered), string(queue.StatusDead), string(queue.StatusSuperseded), string(queue.StatusCancelled)}, nil
	},
}

// endpointList is the list of endpoints, of all or of one tenant.
var endpointList = list{
	name: "endpoints", short: "Lists endpoints and how they stand, and changes those of tenants", paged: true, argument: "tenant", optional: true,
	headings: []string{"ENDPOINT", "STATUS", "PENDING", "IN FLIGHT", "FAILURES", "FAILING SINCE", "RETRY AT", "EXPIRED", "TENANT", "LABEL", "HOST", "REASON"},
	row: func(e map[string]any) []any {
		return []any{
			e["name"], e["status"], e["pending"], e["in_flight"], e["failures"], clock(e["failing_since"]), clock(e["retry_at"]),
			e["expired"], e["tenant"], e["label"], e["host"], e["reason"],
		}
	},
}

func (l list) command() *cobra.Command {
	cmd := subcommand(&cobra.Command{Use: l.name, Short: l.short, Args: cobra.NoArgs}, l.run)
	if l.byID {
		cmd.Use, cmd.Args = l.name+" [<id>]", cobra.MaximumNArgs(1)
	}
	if l.argument != "" {
		cmd.Use, cmd.Args = l.name+" <"+l.argument+">", cobra.ExactArgs(1)
	}
	if l.optional {
		cmd.Use, cmd.Args = l.name+" [<"+l.argument+">]", cobra.MaximumNArgs(1)
	}
	if l.argument == "tenant" {
		completes(cmd, tenantNames)
	}
	for _, name := range l.filters {
		cmd.Flags().String(name, "", "show only those with this "+name)
		if known := filterNames[name]; known != nil {
			completedFlag(cmd, name, known)
		}
	}
	if l.paged {
		cmd.Flags().String("cursor", "", "begin where the page before ended")
	}
	cmd.Flags().Int("limit", 0, "how many to show (default 50, at most 1000)")
	return cmd
}

// run prints a page of the list, or the one item that an argument names.
func (l list) run(c call) error {
	if id := c.Arg(0); l.byID && id != "" {
		if err := c.without("an id shows one of the "+l.name, append([]string{"cursor", "limit"}, l.filters...)...); err != nil {
			return err
		}
		return c.showEvent(id)
	}
	query := c.query(l.filters...)
	if l.argument != "" && c.NArg() > 0 {
		query.Set(l.argument, c.Arg(0))
	}
	for _, name := range []string{"cursor", "limit"} {
		if c.cmd.Flags().Changed(name) {
			query.Set(name, c.cmd.Flags().Lookup(name).Value.String())
		}
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	answer, err := client.read("/webhooks/"+cmp.Or(l.path, l.name), query)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return c.printAnswer(answer)
	}
	return l.print(c, answer)
}

// print prints a page of the list, and the command that prints the next one.
func (l list) print(c call, answer []byte) error {
	var page struct {
		Items []map[string]any `json:"items"`
		Next  string           `json:"next"`
	}
	if err := decode(bytes.NewReader(answer), &page); err != nil {
		return err
	}
	if err := l.table(page.Items).print(c.out, c.width); err != nil || page.Next == "" {
		return err
	}
	_, err := fmt.Fprintf(c.out, "\nmore: %s\n", c.again("cursor", page.Next))
	return err
}

// table returns a page of the list as a table.
func (l list) table(items []map[string]any) *table {
	t := &table{headings: l.headings}
	for _, item := range items {
		var cells []string
		for _, value := range l.row(item) {
			cells = append(cells, cell(value))
		}
		t.rows = append(t.rows, cells)
	}
	return t
}

// again returns this call as it is typed into a shell, with another value of a flag.
func (c call) again(name, value string) string {
	words := []string{c.cmd.CommandPath()}
	c.cmd.Flags().Visit(func(f *pflag.Flag) {
		switch {
		case f.Name == name:
		case f.Value.Type() == "bool":
			words = append(words, "--"+f.Name)
		default:
			words = append(words, "--"+f.Name, quoted(f.Value.String()))
		}
	})
	for _, arg := range c.Args() {
		words = append(words, quoted(arg))
	}
	return strings.Join(append(words, "--"+name, quoted(value)), " ")
}

// plainSigns are the signs of a word, besides letters and digits, that no shell
// takes for anything else.
const plainSigns = "-_./:=@%+,"

// quoted returns a word as a shell takes it.
func quoted(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(plainSigns, r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// showEvent prints one event: what is known of it, and its payload as it is sent.
func (c call) showEvent(id string) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	answer, err := client.read("/webhooks/events/"+url.PathEscape(id), nil)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return c.printAnswer(answer)
	}
	var e map[string]any
	if err := decode(bytes.NewReader(answer), &e); err != nil {
		return err
	}
	cause, _ := e["cause"].(map[string]any)
	err = printFields(c.out, c.width, []field{
		{"event", e["id"]},
		{"webhook-id", e["webhook_id"]},
		{"type", e["type"]},
		{"object", e["object"]},
		{"sequence", e["sequence"]},
		{"op", e["op"]},
		{"time", clock(e["time"])},
		{"version", e["version"]},
		{"freshness", e["freshness"]},
		{"tenant", e["tenant"]},
		{"rule", cause["rule"]},
		{"outcome", cause["outcome"]},
		{"content type", e["content_type"]},
	})
	if err != nil {
		return err
	}
	return printPayload(c.out, answer)
}

// printPayload prints the payload of an event: JSON indented, a text as it is.
func printPayload(out io.Writer, event []byte) error {
	var shown struct {
		Payload json.RawMessage `json:"payload"`
	}
	if err := json.Unmarshal(event, &shown); err != nil || shown.Payload == nil {
		return err
	}
	var text string
	if json.Unmarshal(shown.Payload, &text) != nil {
		var indented bytes.Buffer
		if err := json.Indent(&indented, shown.Payload, "", "  "); err != nil {
			return err
		}
		text = indented.String()
	}
	_, err := fmt.Fprintf(out, "\n%s\n", text)
	return err
}

// joined returns the texts of a list of an answer, one after the other.
func joined(value any) string {
	all, _ := value.([]any)
	words := make([]string, len(all))
	for i, each := range all {
		words[i] = fmt.Sprint(each)
	}
	return strings.Join(words, " ")
}

// orMore returns a number of an answer, with a + where there may be more.
func orMore(value, atLeast any) string {
	if value == nil {
		return ""
	}
	if atLeast == true {
		return fmt.Sprint(value, "+")
	}
	return fmt.Sprint(value)
}

// clockLayout is how operators read a time.
const clockLayout = "2006-01-02 15:04:05"

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
	return at.Local().Format(clockLayout)
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
