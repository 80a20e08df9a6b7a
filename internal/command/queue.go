// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
)

// queueCommand returns `caddy webhooks queue`, which looks after the queue's
// files.
func queueCommand() *cobra.Command {
	parent := &cobra.Command{
		Use:   "queue",
		Short: "Looks after the queue's files: stats, backup, verify, restore",
		Long: `
Looks after the queue's files. stats and backup ask the running Caddy; verify
and restore work on files that no process has open.
`,
	}
	add := func(use, short, long string, args cobra.PositionalArgs, run func(caddycmd.Flags, []string) error) *cobra.Command {
		cmd := &cobra.Command{Use: use, Short: short, Long: long, Args: args}
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			return caddycmd.WrapCommandFuncForCobra(func(flags caddycmd.Flags) (int, error) {
				if err := run(flags, args); err != nil {
					return caddy.ExitCodeFailedStartup, err
				}
				return caddy.ExitCodeSuccess, nil
			})(cmd, args)
		}
		parent.AddCommand(cmd)
		return cmd
	}
	add("stats", "Shows the queue's state, its size, and the free space", "", cobra.NoArgs, queueStats)
	backup := add("backup <file>", "Makes a backup of the running queue", `
Makes a backup of the queue of a running Caddy, which goes on with its work.
With --after, it holds what has changed since another backup.

A backup holds events and what is sealed in the queue, but not the key.
`, cobra.ExactArgs(1), queueBackup)
	backup.Flags().String("after", "", "the backup before: only what has changed since")
	verify := add("verify [<backups...>]", "Checks a queue that no process has open, or backups", `
Reads every file of a queue that no process has open, and says what is damaged.
Given backups, it reads those.
`, cobra.ArbitraryArgs, queueVerify)
	verify.Flags().String("dir", "", "directory of the queue (default: that in Caddy's data directory)")
	restore := add("restore [<backups...>]", "Makes a queue from backups, or from what can be read of a damaged one", `
Makes a queue from a full backup and the incremental ones after it, in their
order. The directory must hold no queue: one that was damaged has been set
aside, any other is to be moved away while Caddy is stopped. A Caddy that goes
on without its queue opens the restored one by itself, and looks at all objects
that it knows.
`, cobra.ArbitraryArgs, queueRestore)
	restore.Flags().String("dir", "", "directory of the queue (default: that in Caddy's data directory)")
	restore.Flags().String("salvage", "", "take what can be read of the damaged queue in this directory")
	restore.Flags().Bool("empty", false, "begin with an empty queue")
	probe := add("probe", "Opens a queue and closes it, for a Caddy that waits for that", "", cobra.NoArgs, func(flags caddycmd.Flags, _ []string) error {
		go endWith(os.Stdin)
		return badger.Probe(flags.String("dir"))
	})
	probe.Hidden = true
	probe.Flags().String("dir", "", "directory of the queue")
	return parent
}

func queueStats(flags caddycmd.Flags, _ []string) error {
	body, err := commandView{}.ask(flags, "/webhooks/queue")
	if err != nil {
		return err
	}
	return writeIndented(os.Stdout, body)
}

// queueBackup writes a backup to a new file. It has its name only when it is
// whole.
func queueBackup(flags caddycmd.Flags, args []string) error {
	since := uint64(0)
	if before := flags.String("after"); before != "" {
		_, end, err := badger.VerifyBackup(before)
		if err != nil {
			return err
		}
		since = end.Until
	}
	name := args[0]
	if _, err := os.Stat(name); err == nil {
		return fmt.Errorf("%s is there already; give the backup another name", name)
	}
	partial := name + ".partial"
	if err := fetchBackup(flags, partial, since); err != nil {
		return errors.Join(err, os.Remove(partial))
	}
	header, end, err := badger.VerifyBackup(partial)
	if err != nil {
		return errors.Join(err, os.Remove(partial))
	}
	if err := os.Rename(partial, name); err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "%s: %d rows of queue %s, versions %d to %d\n", name, end.Rows, header.Instance, header.Since, end.Until)
	return nil
}

func fetchBackup(flags caddycmd.Flags, name string, since uint64) error {
	address, err := caddycmd.DetermineAdminAPIAddress(flags.String("address"), nil, flags.String("config"), flags.String("adapter"))
	if err != nil {
		return fmt.Errorf("finding the admin endpoint: %w", err)
	}
	response, err := caddycmd.AdminAPIRequest(address, http.MethodGet, "/webhooks/queue/backup?since="+strconv.FormatUint(since, 10), nil, nil)
	if err != nil {
		return fmt.Errorf("asking the admin endpoint: %w", err)
	}
	defer response.Body.Close()
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, response.Body)
	return errors.Join(err, f.Sync(), f.Close())
}

func queueVerify(flags caddycmd.Flags, args []string) error {
	for _, name := range args {
		header, end, err := badger.VerifyBackup(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stdout, "%s: whole; %d rows of queue %s, versions %d to %d\n", name, end.Rows, header.Instance, header.Since, end.Until)
	}
	if len(args) > 0 {
		return nil
	}
	dir := queueDir(flags)
	inspection, err := badger.Verify(dir)
	if err != nil {
		return err
	}
	if err := printJSON(inspection); err != nil {
		return err
	}
	if found := len(inspection.Findings); found > 0 {
		return fmt.Errorf("%s is damaged: %d findings", dir, found)
	}
	return nil
}

func queueRestore(flags caddycmd.Flags, args []string) error {
	dir, salvage, empty := queueDir(flags), flags.String("salvage"), flags.Bool("empty")
	ways := 0
	for _, given := range []bool{len(args) > 0, salvage != "", empty} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return errors.New("give backups, or --salvage with the directory of a damaged queue, or --empty")
	}
	if empty {
		if err := badger.RestoreEmpty(dir); err != nil {
			return err
		}
		fmt.Fprintf(os.Stdout, "an empty queue is in %s\n", dir)
		return nil
	}
	ctx := context.Background()
	var restored badger.Restored
	var err error
	if salvage != "" {
		restored, err = badger.Salvage(ctx, salvage, dir)
	} else {
		restored, err = badger.Restore(ctx, dir, args...)
	}
	if err != nil {
		return err
	}
	return printJSON(restored)
}

// queueDir returns the directory of the queue that a command is about.
func queueDir(flags caddycmd.Flags) string {
	if dir := flags.String("dir"); dir != "" {
		return dir
	}
	return filepath.Join(caddy.AppDataDir(), "webhooks")
}

func printJSON(value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(os.Stdout, string(text))
	return err
}
