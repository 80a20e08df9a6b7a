// SPDX-License-Identifier: Apache-2.0

// Package command is the operators' command line, `caddy webhooks`.
//
// The queue belongs to the running Caddy alone, so most commands ask its admin
// endpoint, see package admin. The commands under `queue` that check or restore
// files work on those themselves.
package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

// Webhooks returns `caddy webhooks`, for Caddy to register.
func Webhooks() caddycmd.Command {
	return caddycmd.Command{
		Name:  "webhooks",
		Usage: "status|events|deliveries|attempts|marks|unresolved|endpoints|coverage|look|list|dismiss|queue|resend|recover|replay|cancel|pause|resume|retry",
		Short: "Shows what the webhooks of a running Caddy are doing, and acts on deliveries",
		Long: `
Shows what the webhooks of a running Caddy are doing, and acts on deliveries. It
asks Caddy's admin endpoint, since the queue belongs to the running process alone.

Lists are shown newest first, a page at a time; the last line of a page tells
how to see the next. With --json, the answer is printed as it comes.
`,
		CobraFunc: addCommands,
	}
}

// addCommands adds the subcommands, and the flags that they share.
func addCommands(cmd *cobra.Command) {
	cmd.PersistentFlags().String("address", "", "address of the admin endpoint, if not the configuration's or the default")
	cmd.PersistentFlags().StringP("config", "c", "", "configuration to take the address of the admin endpoint from")
	cmd.PersistentFlags().StringP("adapter", "a", "", "adapter of that configuration")
	cmd.PersistentFlags().Bool("json", false, "print the answer as JSON")
	cmd.AddCommand(subcommand(&cobra.Command{
		Use: "status", Short: "Counts what is in the queue", Args: cobra.NoArgs,
	}, show("/webhooks/status")))
	for _, l := range lists {
		cmd.AddCommand(l.command())
	}
	for _, v := range deliveryVerbs {
		cmd.AddCommand(v.command())
	}
	cmd.AddCommand(endpointCommands()...)
	cmd.AddCommand(detectionCommands()...)
	cmd.AddCommand(queueCommand())
}

// call is one call of a subcommand: its flags and arguments, and where it
// prints.
type call struct {
	caddycmd.Flags
	out io.Writer
}

// subcommand returns cmd with what it runs. An error is logged and ends the
// process as those of Caddy's own commands do.
func subcommand(cmd *cobra.Command, run func(call) error) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return caddycmd.WrapCommandFuncForCobra(func(flags caddycmd.Flags) (int, error) {
			if err := run(call{flags, cmd.OutOrStdout()}); err != nil {
				return caddy.ExitCodeFailedStartup, err
			}
			return caddy.ExitCodeSuccess, nil
		})(cmd, args)
	}
	return cmd
}

// query returns those of the named flags that have a value, as parameters of a
// request.
func (c call) query(flags ...string) url.Values {
	query := url.Values{}
	for _, name := range flags {
		if value := c.String(name); value != "" {
			query.Set(name, value)
		}
	}
	return query
}

// report prints what a command has done: as text, or with --json as a value.
func (c call) report(value any, text string) error {
	if c.Bool("json") {
		return c.printJSON(value)
	}
	_, err := fmt.Fprint(c.out, text)
	return err
}

// printJSON prints a value as JSON.
func (c call) printJSON(value any) error {
	encoder := json.NewEncoder(c.out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// show returns an action that prints what a path of the admin API answers.
func show(path string) func(call) error {
	return func(c call) error {
		client, err := c.client()
		if err != nil {
			return err
		}
		answer, err := client.read(path, nil)
		if err != nil {
			return err
		}
		return c.printAnswer(answer)
	}
}

// printAnswer prints an answer of JSON, indented.
func (c call) printAnswer(answer []byte) error {
	var indented bytes.Buffer
	if err := json.Indent(&indented, answer, "", "  "); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	_, err := indented.WriteTo(c.out)
	return err
}
