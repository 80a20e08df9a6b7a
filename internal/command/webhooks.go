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
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

// Webhooks returns `caddy webhooks`, for Caddy to register.
func Webhooks() caddycmd.Command {
	return caddycmd.Command{
		Name:  "webhooks",
		Usage: "<command>",
		Short: "Shows what the webhooks of a running Caddy are doing, and acts on deliveries",
		Long: `
Shows what the webhooks of a running Caddy are doing, and acts on deliveries. It
asks Caddy's admin endpoint, since the queue belongs to the running process alone.

Lists are shown newest first, a page at a time; the last line of a page tells
how to see the next. What does not fit into the width of a terminal stands below
its line. With --json, the answer is printed as it comes.
`,
		CobraFunc: addCommands,
	}
}

// addCommands adds the subcommands, and the flags that they share.
func addCommands(cmd *cobra.Command) {
	cmd.PersistentFlags().String("address", "", "address of the admin endpoint, if not the configuration's or the default")
	cmd.PersistentFlags().StringP("config", "c", "", "configuration to take the address of the admin endpoint, or the directory of the queue, from")
	cmd.PersistentFlags().StringP("adapter", "a", "", "adapter of that configuration")
	cmd.PersistentFlags().Bool("json", false, "print the answer as JSON")
	cmd.AddCommand(subcommand(&cobra.Command{
		Use: "status", Short: "Shows how the webhooks do, and what is in the queue", Args: cobra.NoArgs,
	}, showStatus))
	for _, l := range lists {
		cmd.AddCommand(l.command())
	}
	for _, v := range deliveryVerbs {
		cmd.AddCommand(v.command())
	}
	cmd.AddCommand(endpointCommands()...)
	cmd.AddCommand(detectionCommands()...)
	cmd.AddCommand(tailCommand(), listenCommand(), keysCommand(), usersCommand(), queueCommand())
	group(cmd)
	fitHelp(cmd, widthOf(os.Stdout))
}

// helpWidth is how wide help is where that is not known.
const helpWidth = 80

// fitHelp makes the help of a command and of all below it fit into a width. Cobra
// breaks no lines by itself.
func fitHelp(cmd *cobra.Command, width int) {
	if width == 0 {
		width = helpWidth
	}
	// The commands below have the template of this one.
	cmd.SetUsageTemplate(strings.ReplaceAll(cmd.UsageTemplate(), ".FlagUsages", fmt.Sprintf(".FlagUsagesWrapped %d", width)))
	breakLong(cmd, width)
}

// breakLong breaks the descriptions of a command and of all below it into lines of a
// width.
func breakLong(cmd *cobra.Command, width int) {
	cmd.Long = paragraphs(cmd.Long, width)
	for _, sub := range cmd.Commands() {
		breakLong(sub, width)
	}
}

// group makes a command that has subcommands, and does nothing itself, refuse what
// is none of them. Cobra would print help, and end as if all was well.
func group(cmd *cobra.Command) {
	cmd.Args = cobra.ArbitraryArgs
	cmd.SuggestionsMinimumDistance = 1
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		meant := ""
		if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
			meant = "; did you mean " + strings.Join(like, " or ") + "?"
		}
		return fmt.Errorf("there is no command %q in %s%s See %s --help", args[0], cmd.CommandPath(), orStop(meant), cmd.CommandPath())
	}
}

// orStop returns a text that ends a sentence, or the full stop of the sentence.
func orStop(text string) string {
	if text == "" {
		return "."
	}
	return text
}

// call is one call of a subcommand: its command, its flags and arguments, where it
// prints, and how wide that is.
type call struct {
	caddycmd.Flags
	cmd   *cobra.Command
	out   io.Writer
	width int
}

// subcommand returns cmd with what it runs.
func subcommand(cmd *cobra.Command, run func(call) error) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c := call{caddycmd.Flags{FlagSet: cmd.Flags()}, cmd, cmd.OutOrStdout(), widthOf(cmd.OutOrStdout())}
		if err := c.refuseEmpty(args); err != nil {
			return err
		}
		return run(c)
	}
	return cmd
}

// refuseEmpty refuses arguments and flags that are empty, as those of a script are
// when its variable is not set. Left out, the command would mean more than was
// written.
func (c call) refuseEmpty(args []string) (err error) {
	for _, arg := range args {
		if arg == "" {
			return fmt.Errorf("an argument is empty; usage: %s", c.cmd.UseLine())
		}
	}
	c.cmd.Flags().Visit(func(f *pflag.Flag) {
		if err == nil && f.Value.String() == "" {
			err = fmt.Errorf("--%s is empty; give it a value or leave it out", f.Name)
		}
	})
	return err
}

// without refuses flags that would mean nothing here, and says why.
func (c call) without(why string, flags ...string) error {
	for _, name := range flags {
		if c.cmd.Flags().Changed(name) {
			return fmt.Errorf("--%s means nothing here: %s", name, why)
		}
	}
	return nil
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

// printAnswer prints an answer of JSON, indented.
func (c call) printAnswer(answer []byte) error {
	var indented bytes.Buffer
	if err := json.Indent(&indented, answer, "", "  "); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	_, err := indented.WriteTo(c.out)
	return err
}
