// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
)

// commandVerb is one of the subcommands that act on deliveries. They tell first
// how many deliveries are meant, and act when that is confirmed.
type commandVerb struct {
	name, use, short, long string
	// argument is the parameter that the command's one argument gives; "" if it
	// takes none.
	argument string
	flags    []string
	// question and done have a %s for how many deliveries there are.
	question, done string
}

var commandVerbs = []commandVerb{
	{
		name: "resend", use: "resend <event>", argument: "event", flags: []string{"endpoint"},
		short: "Sends an event again", question: "%s will be sent again.", done: "%s sent again",
		long: "Sends an event again to all endpoints it went to, or to one of them, whatever became of it.",
	},
	{
		name: "recover", use: "recover --since <time>", flags: []string{"since", "until", "endpoint", "type", "object"},
		short: "Sends again what is dead since a time", question: "%s will be sent again.", done: "%s sent again",
		long: "Sends dead deliveries again, of the events found since a time: as 2026-03-04T05:06:07Z, or as how long ago, as 3h or 2d.",
	},
	{
		name: "replay", use: "replay <endpoint>", argument: "endpoint", flags: []string{"since", "until", "type", "object", "event"},
		short: "Sends an endpoint the events of a time", question: "%s will be sent.", done: "%s sent",
		long: "Sends kept events to an endpoint, in order, whether or not it got them before, or wanted them then.",
	},
	{
		name: "cancel", use: "cancel", flags: []string{"endpoint", "event", "type", "object", "since", "until"},
		short: "Gives up pending deliveries", question: "%s will be given up.", done: "%s given up",
		long: "Gives up deliveries that are pending. At least one of --endpoint, --event, --type and --object says which.",
	},
}

func (v commandVerb) command() *cobra.Command {
	cmd := &cobra.Command{
		Use: v.use, Short: v.short, Args: cobra.NoArgs,
		Long: v.long + "\n\nIt tells how many deliveries are meant, and asks before it acts. What is pending already is not sent twice.",
		RunE: caddycmd.WrapCommandFuncForCobra(v.run),
	}
	if v.argument != "" {
		cmd.Args = cobra.ExactArgs(1)
	}
	for _, name := range v.flags {
		cmd.Flags().String(name, "", flagUsage[name])
	}
	cmd.Flags().BoolP("yes", "y", false, "act without asking")
	return cmd
}

var flagUsage = map[string]string{
	"endpoint": "only deliveries to this endpoint",
	"event":    "only this event",
	"type":     "only events of this type",
	"object":   "only events of this object, as items/42",
	"since":    "only events found at this time or later, as 2026-03-04T05:06:07Z, or 3h or 2d ago",
	"until":    "only events found before this time",
}

func (v commandVerb) run(flags caddycmd.Flags) (int, error) {
	query := url.Values{}
	if v.argument != "" {
		query.Set(v.argument, flags.Arg(0))
	}
	for _, name := range v.flags {
		if value := flags.String(name); value != "" {
			query.Set(name, value)
		}
	}
	client, err := newAdminClient(flags)
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	err = v.act(client, query, flags.Bool("yes"), flags.Bool("json"), os.Stdin, os.Stdout)
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	return caddy.ExitCodeSuccess, nil
}

// act counts, asks and acts, page by page.
func (v commandVerb) act(client adminClient, query url.Values, yes, asJSON bool, in *os.File, out io.Writer) error {
	uri := "/webhooks/" + v.name
	var count admin.CountView
	if err := client.ask(http.MethodGet, uri+"?"+query.Encode(), nil, &count); err != nil {
		return err
	}
	if count.Count == 0 {
		return report(out, asJSON, admin.ActView{}, "There is nothing to do.\n")
	}
	if !yes {
		if err := confirm(fmt.Sprintf(v.question, amount(count)), in, out); err != nil {
			return err
		}
	}
	var total admin.ActView
	for {
		var done admin.ActView
		if err := client.ask(http.MethodPost, uri+"?"+query.Encode(), nil, &done); err != nil {
			return fmt.Errorf("after %s: %w; repeat the command to go on", fmt.Sprintf(v.done, deliveryCount(total.Changed)), err)
		}
		total.Changed += done.Changed
		if done.Next == "" {
			break
		}
		query.Set("cursor", string(done.Next))
	}
	return report(out, asJSON, total, fmt.Sprintf(v.done, deliveryCount(total.Changed))+".\n")
}

func amount(count admin.CountView) string {
	if count.AtLeast {
		return "at least " + deliveryCount(count.Count)
	}
	return deliveryCount(count.Count)
}

func deliveryCount(n int) string {
	if n == 1 {
		return "1 delivery"
	}
	return fmt.Sprintf("%d deliveries", n)
}

// errNotConfirmed is returned where nobody can be asked, or did not agree.
var errNotConfirmed = errors.New("nothing was done; confirm with --yes")

// confirm asks at a terminal.
func confirm(question string, in *os.File, out io.Writer) error {
	if in == nil || !term.IsTerminal(int(in.Fd())) {
		return fmt.Errorf("%s But %w", question, errNotConfirmed)
	}
	fmt.Fprintf(out, "%s Go on? [y/N] ", question)
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil || strings.ToLower(strings.TrimSpace(answer)) != "y" {
		return errNotConfirmed
	}
	return nil
}

func report(out io.Writer, asJSON bool, value any, text string) error {
	if !asJSON {
		fmt.Fprint(out, text)
		return nil
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// adminClient asks Caddy's admin endpoint.
type adminClient struct {
	address string
}

func newAdminClient(flags caddycmd.Flags) (adminClient, error) {
	address, err := caddycmd.DetermineAdminAPIAddress(flags.String("address"), nil, flags.String("config"), flags.String("adapter"))
	if err != nil {
		return adminClient{}, fmt.Errorf("finding the admin endpoint: %w", err)
	}
	return adminClient{address}, nil
}

// ask makes a request and decodes its answer.
func (c adminClient) ask(method, uri string, body []byte, answer any) error {
	headers := http.Header{"Content-Type": {"application/json"}}
	response, err := caddycmd.AdminAPIRequest(c.address, method, uri, headers, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("asking the admin endpoint: %w", err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(io.LimitReader(response.Body, 64<<20)).Decode(answer); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return nil
}

// endpointCommands pause and resume an endpoint.
func endpointCommands() []*cobra.Command {
	pause := &cobra.Command{
		Use: "pause <endpoint>", Short: "Stops deliveries to an endpoint until it is resumed", Args: cobra.ExactArgs(1),
		Long: "Stops deliveries to an endpoint until it is resumed, over restarts too. Its events are kept, as long as the retention.",
		RunE: caddycmd.WrapCommandFuncForCobra(func(flags caddycmd.Flags) (int, error) {
			return setEndpoint(flags, "pause", map[string]string{"reason": flags.String("reason")})
		}),
	}
	pause.Flags().String("reason", "", "why, for those who look")
	resume := &cobra.Command{
		Use: "resume <endpoint>", Short: "Lets deliveries to an endpoint go on that was paused or disabled", Args: cobra.ExactArgs(1),
		RunE: caddycmd.WrapCommandFuncForCobra(func(flags caddycmd.Flags) (int, error) {
			return setEndpoint(flags, "resume", nil)
		}),
	}
	return []*cobra.Command{pause, resume}
}

func setEndpoint(flags caddycmd.Flags, verb string, body map[string]string) (int, error) {
	client, err := newAdminClient(flags)
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	var standing struct {
		Name   string `json:"name"`
		Status string `json:"status"`
	}
	uri := "/webhooks/endpoints/" + url.PathEscape(flags.Arg(0)) + "/" + verb
	if err := client.ask(http.MethodPost, uri, encoded, &standing); err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	text := fmt.Sprintf("Endpoint %s is %s.\n", standing.Name, standing.Status)
	if err := report(os.Stdout, flags.Bool("json"), standing, text); err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	return caddy.ExitCodeSuccess, nil
}
