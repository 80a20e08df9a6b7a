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
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
	"github.com/caddy-webhooks/caddy-webhooks/queue/journal"
)

// queueCommand returns `caddy webhooks queue`, which looks after the queue's
// files.
func queueCommand() *cobra.Command {
	stats := subcommand(&cobra.Command{
		Use: "stats", Short: "Shows the queue's state, its size, and the free space", Args: cobra.NoArgs,
	}, showQueue)

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
	verify.Flags().String("dir", "", "directory of the queue (default: that of --config, or in Caddy's data directory)")

	restore := subcommand(&cobra.Command{
		Use: "restore [<backups...>]", Short: "Makes a queue from backups, or from what is left of a damaged one", Args: cobra.ArbitraryArgs,
		Long: `
Makes a queue from a full backup and the incremental ones after it, in their
order. The directory must hold no queue: one that was damaged has been set
aside, any other is to be moved away while Caddy is stopped. A Caddy that goes
on without its queue opens the restored one by itself, and looks at all objects
that it knows.
`,
	}, restoreQueue)
	restore.Flags().String("dir", "", "directory of the queue (default: that of --config, or in Caddy's data directory)")
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
	group(parent)
	return parent
}

// backedUp is what --json prints of a backup.
type backedUp struct {
	File string `json:"file"`
	// Rows is how many rows it holds of the queue of Instance, with what has
	// changed from version Since to Until.
	Rows     uint64 `json:"rows"`
	Instance string `json:"instance"`
	Since    uint64 `json:"since"`
	Until    uint64 `json:"until"`
}

// verified returns what a backup holds. It fails if the backup is not whole.
func verified(name string) (backedUp, error) {
	header, end, err := badger.VerifyBackup(name)
	return backedUp{name, end.Rows, fmt.Sprint(header.Instance), header.Since, end.Until}, err
}

func (b backedUp) String() string {
	return fmt.Sprintf("%d rows of queue %s, versions %d to %d", b.Rows, b.Instance, b.Since, b.Until)
}

// backUp writes a backup to a new file, which gets its name only when it is
// whole.
func backUp(c call) error {
	since := uint64(0)
	if before := c.String("after"); before != "" {
		last, err := verified(before)
		if err != nil {
			return err
		}
		since = last.Until
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
		return errors.Join(err, removed(partial))
	}
	made, err := verified(partial)
	if err != nil {
		return errors.Join(err, removed(partial))
	}
	if err := os.Rename(partial, name); err != nil {
		return err
	}
	made.File = name
	return c.report(made, fmt.Sprintf("%s: %s\n", name, made))
}

// removed removes a file that may not have been made.
func removed(name string) error {
	if err := os.Remove(name); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
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

// onFiles refuses --address: the command works on files, whoever runs.
func (c call) onFiles() error {
	return c.without("this command works on files, and asks no Caddy", "address")
}

// verifyQueue checks backups, or where none are given the queue.
func verifyQueue(c call) error {
	if err := c.onFiles(); err != nil {
		return err
	}
	if c.NArg() == 0 {
		return verifyFiles(c)
	}
	if err := c.without("backups are read, and not the queue", "dir", "config", "adapter"); err != nil {
		return err
	}
	var whole []backedUp
	for _, name := range c.Args() {
		backup, err := verified(name)
		if err != nil {
			return err
		}
		if whole = append(whole, backup); !c.Bool("json") {
			fmt.Fprintf(c.out, "%s: whole; %s\n", name, backup)
		}
	}
	if c.Bool("json") {
		return c.printJSON(whole)
	}
	return nil
}

// verifyFiles checks the queue's own files.
func verifyFiles(c call) error {
	dir, err := c.queueDir()
	if err != nil {
		return err
	}
	inspection, err := badger.Verify(dir)
	if errors.Is(err, os.ErrNotExist) || err == nil && inspection.Empty() {
		return fmt.Errorf("there is no queue in %s; name its directory with --dir, or the configuration with --config", dir)
	}
	if err != nil {
		return err
	}
	if err := journal.Check(dir); err != nil {
		inspection.Notes = append(inspection.Notes, badger.Finding{
			File: queue.JournalFile, Problem: fmt.Sprintf("%v; the next start looks at all resources", err),
		})
	}
	if err := c.report(inspection, inspected(dir, inspection)); err != nil {
		return err
	}
	if found := len(inspection.Findings); found > 0 {
		return fmt.Errorf("%s is damaged: %s", dir, counted(found, "finding"))
	}
	return nil
}

// inspected says what was found in the files of a queue.
func inspected(dir string, i *badger.Inspection) string {
	var text strings.Builder
	for _, finding := range i.Findings {
		fmt.Fprintf(&text, "damaged: %s: %s\n", finding.File, finding.Problem)
	}
	for _, note := range i.Notes {
		fmt.Fprintf(&text, "note: %s: %s\n", note.File, note.Problem)
	}
	state := "whole"
	if len(i.Findings) > 0 {
		state = "damaged"
	}
	fmt.Fprintf(&text, "%s: %s; %s and %s read, %s\n", dir, state, counted(i.Tables, "table"), counted(i.Logs, "log"), size(uint64(i.Bytes)))
	return text.String()
}

// restoreQueue makes a queue in one of three ways.
func restoreQueue(c call) error {
	if err := c.onFiles(); err != nil {
		return err
	}
	dir, err := c.queueDir()
	if err != nil {
		return err
	}
	salvage, empty := c.String("salvage"), c.Bool("empty")
	ways := 0
	for _, given := range []bool{c.NArg() > 0, salvage != "", empty} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return errors.New("give backups, or --salvage with the directory of a damaged queue, or --empty")
	}
	var restored badger.Restored
	switch ctx := context.Background(); {
	case empty:
		err = badger.RestoreEmpty(dir)
	case salvage != "":
		restored, err = badger.Salvage(ctx, salvage, dir)
	default:
		restored, err = badger.Restore(ctx, dir, c.Args()...)
	}
	if err != nil {
		return err
	}
	return c.report(restored, restoredText(dir, empty, &restored))
}

// restoredText says what was restored.
func restoredText(dir string, empty bool, r *badger.Restored) string {
	if empty {
		return fmt.Sprintf("an empty queue is in %s\n", dir)
	}
	var text strings.Builder
	for _, finding := range r.Findings {
		fmt.Fprintf(&text, "not salvaged: %s: %s\n", finding.File, finding.Problem)
	}
	fmt.Fprintf(&text, "%s are in %s, %d were left out", counted(r.Rows, "row"), dir, r.Dropped)
	if r.Until > 0 {
		fmt.Fprintf(&text, "; the last backup ends with version %d", r.Until)
	}
	text.WriteString("\n")
	return text.String()
}

// counted returns a number with what it counts.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
