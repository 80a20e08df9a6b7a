// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
	"github.com/caddy-webhooks/caddy-webhooks/queue/journal"
)

// queueCommand returns `caddy webhooks queue`, which looks after the queue's
// files.
func queueCommand() *cobra.Command {
	stats := subcommand(&cobra.Command{
		Use: "stats", Short: "Shows the queue's state, its size, and the free space", Args: cobra.NoArgs,
	}, show("/webhooks/queue"))

	backup := subcommand(&cobra.Command{
		Use: "backup <file>", Short: "Makes a backup of the running queue", Args: cobra.ExactArgs(1),
		Long: `
Makes a backup of the queue of a running Caddy, which goes on with its work.
With --after, it holds what has changed since another backup.

A backup holds events and what is sealed in the queue, but not the key.
`,
	}, backUp)
	backup.Flags().String("after", "", "the backup before: only what has changed since")

	verify := subcommand(&cobra.Command{
		Use: "verify [<backups...>]", Short: "Checks a queue that no process has open, or backups", Args: cobra.ArbitraryArgs,
		Long: `
Reads every file of a queue that no process has open, and says what is damaged.
Given backups, it reads those.
`,
	}, verifyQueue)
	verify.Flags().String("dir", "", "directory of the queue (default: that in Caddy's data directory)")

	restore := subcommand(&cobra.Command{
		Use: "restore [<backups...>]", Short: "Makes a queue from backups, or from what can be read of a damaged one", Args: cobra.ArbitraryArgs,
		Long: `
Makes a queue from a full backup and the incremental ones after it, in their
order. The directory must hold no queue: one that was damaged has been set
aside, any other is to be moved away while Caddy is stopped. A Caddy that goes
on without its queue opens the restored one by itself, and looks at all objects
that it knows.
`,
	}, restoreQueue)
	restore.Flags().String("dir", "", "directory of the queue (default: that in Caddy's data directory)")
	restore.Flags().String("salvage", "", "take what can be read of the damaged queue in this directory")
	restore.Flags().Bool("empty", false, "begin with an empty queue")

	parent := &cobra.Command{
		Use:   "queue",
		Short: "Looks after the queue's files: stats, backup, verify, restore",
		Long: `
Looks after the queue's files. stats and backup ask the running Caddy; verify
and restore work on files that no process has open.
`,
	}
	parent.AddCommand(stats, backup, verify, restore, probeCommand())
	return parent
}

// backUp writes a backup to a new file, which gets its name only when it is
// whole.
func backUp(c call) error {
	since := uint64(0)
	if before := c.String("after"); before != "" {
		_, end, err := badger.VerifyBackup(before)
		if err != nil {
			return err
		}
		since = end.Until
	}
	name := c.Arg(0)
	if _, err := os.Stat(name); err == nil {
		return fmt.Errorf("%s is there already; give the backup another name", name)
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	partial := name + ".partial"
	if err := client.download(partial, since); err != nil {
		return errors.Join(err, os.Remove(partial))
	}
	header, end, err := badger.VerifyBackup(partial)
	if err != nil {
		return errors.Join(err, os.Remove(partial))
	}
	if err := os.Rename(partial, name); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "%s: %s\n", name, contents(header, end))
	return err
}

// download writes a backup of what has changed since a version to a file.
func (c client) download(name string, since uint64) error {
	answer, err := c.open(http.MethodGet, "/webhooks/queue/backup", url.Values{"since": {strconv.FormatUint(since, 10)}}, nil)
	if err != nil {
		return err
	}
	defer answer.Close()
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	// It may have been there before, for others to read.
	if err := f.Chmod(0o600); err != nil {
		return errors.Join(err, f.Close())
	}
	_, err = io.Copy(f, answer)
	return errors.Join(err, f.Sync(), f.Close())
}

// contents says what a backup holds.
func contents(header badger.BackupHeader, end badger.BackupEnd) string {
	return fmt.Sprintf("%d rows of queue %s, versions %d to %d", end.Rows, header.Instance, header.Since, end.Until)
}

// verifyQueue checks backups, or where none are given the queue.
func verifyQueue(c call) error {
	for _, name := range c.Args() {
		header, end, err := badger.VerifyBackup(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(c.out, "%s: whole; %s\n", name, contents(header, end))
	}
	if c.NArg() > 0 {
		return nil
	}
	dir := queueDir(c)
	inspection, err := badger.Verify(dir)
	if err != nil {
		return err
	}
	if err := journal.Check(dir); err != nil {
		inspection.Notes = append(inspection.Notes, badger.Finding{
			File: queue.JournalFile, Problem: fmt.Sprintf("%v; the next start looks at all resources", err),
		})
	}
	if err := c.printJSON(inspection); err != nil {
		return err
	}
	if found := len(inspection.Findings); found > 0 {
		return fmt.Errorf("%s is damaged: %d findings", dir, found)
	}
	return nil
}

// restoreQueue makes a queue in one of three ways.
func restoreQueue(c call) error {
	dir, salvage, empty := queueDir(c), c.String("salvage"), c.Bool("empty")
	ways := 0
	for _, given := range []bool{c.NArg() > 0, salvage != "", empty} {
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
		_, err := fmt.Fprintf(c.out, "an empty queue is in %s\n", dir)
		return err
	}
	ctx := context.Background()
	var restored badger.Restored
	var err error
	if salvage != "" {
		restored, err = badger.Salvage(ctx, salvage, dir)
	} else {
		restored, err = badger.Restore(ctx, dir, c.Args()...)
	}
	if err != nil {
		return err
	}
	return c.printJSON(restored)
}

// queueDir returns the directory of the queue that a command is about.
func queueDir(c call) string {
	if dir := c.String("dir"); dir != "" {
		return dir
	}
	return filepath.Join(caddy.AppDataDir(), "webhooks")
}
