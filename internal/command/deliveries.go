// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
)

// deliveryVerb is a subcommand that acts on deliveries. It says how many are
// meant, and acts when that is confirmed.
type deliveryVerb struct {
	name, use, short, long string
	// argument is the parameter that the command's one argument gives, "" if it
	// takes none.
	argument string
	// flags are the parameters that flags give.
	flags []string
	// none says what to do instead where nothing is meant.
	none string
	// question and done have a %s for the number of deliveries.
	question, done string
}

var deliveryVerbs = []deliveryVerb{
	{
		name: "resend", use: "resend <event>", argument: "event", flags: []string{"endpoint"},
		short: "Sends an event again", question: "%s will be sent again.", done: "%s sent again",
		long: "Sends an event again to all endpoints it went to, or to one of them, whatever became of it.",
	},
	{
		name: "recover", use: "recover --since <time>", flags: []string{"since", "until", "endpoint", "type", "object"},
		short: "Sends again what is dead since a time", question: "%s will be sent again.", done: "%s sent again",
		none: " No delivery of that time is dead. What is pending waits for its retry: caddy webhooks retry ENDPOINT sends it now.",
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

// selectionUsage explains the flags of delivery verbs.
var selectionUsage = map[string]string{
	"endpoint": "only deliveries to this endpoint",
	"event":    "only this event",
	"type":     "only events of this type",
	"object":   "only events of this object, as items/42",
	"since":    "only events found at this time or later, as 2026-03-04T05:06:07Z, or 3h or 2d ago",
	"until":    "only events found before this time",
}

func (v deliveryVerb) command() *cobra.Command {
	cmd := subcommand(&cobra.Command{
		Use: v.use, Short: v.short, Args: cobra.NoArgs,
		Long: v.long + "\n\nIt tells how many deliveries are meant, and asks before it acts. What is pending already is not sent twice.",
	}, v.run)
	if v.argument != "" {
		cmd.Args = cobra.ExactArgs(1)
	}
	for _, name := range v.flags {
		cmd.Flags().String(name, "", selectionUsage[name])
	}
	cmd.Flags().BoolP("yes", "y", false, "act without asking")
	return cmd
}

// run counts the deliveries, has that confirmed, and acts page by page.
func (v deliveryVerb) run(c call) error {
	path, query := "/webhooks/"+v.name, c.query(v.flags...)
	if v.argument != "" {
		query.Set(v.argument, c.Arg(0))
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	var count admin.CountView
	if err := client.do(http.MethodGet, path, query, nil, &count); err != nil {
		return err
	}
	if count.Count == 0 {
		return c.report(admin.ActView{Refused: count.Refused}, "There is nothing to do."+v.none+refused(count.Refused)+"\n")
	}
	if !c.Bool("yes") {
		if err := confirm(fmt.Sprintf(v.question, amount(count)), os.Stdin, c.out); err != nil {
			return err
		}
	}
	var total admin.ActView
	for {
		var page admin.ActView
		if err := client.do(http.MethodPost, path, query, nil, &page); err != nil {
			return fmt.Errorf("after %s: %w; repeat the command to go on", fmt.Sprintf(v.done, deliveryCount(total.Changed)), err)
		}
		total.Changed += page.Changed
		total.Refused += page.Refused
		if page.Next == "" {
			break
		}
		query.Set("cursor", string(page.Next))
	}
	return c.report(total, fmt.Sprintf(v.done, deliveryCount(total.Changed))+"."+refused(total.Refused)+"\n")
}

// refused says how many deliveries were left, since a tenant may not have them.
func refused(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("\nNot %s: the endpoint's tenant may not have the event.", deliveryCount(n))
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

// errNotConfirmed is returned where the operator did not agree, or there is no
// terminal to ask at.
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
