// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/queue/badger"
)

// probeTimeout limits how long another process may take to open a queue.
const probeTimeout = 5 * time.Minute

// Probe opens a queue in a process of its own, which may die of it. It is what
// [badger.Engine] wants as its Probe.
func Probe(dir string, lock *os.File) error {
	if flag.Lookup("test.v") != nil {
		// A test's binary is no Caddy: it would run all tests again.
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("%w: finding this program: %w", badger.ErrNotProbed, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	//nolint:gosec // this program itself, and the directory that the operator has configured
	return runProbe(ctx, exec.CommandContext(ctx, self, "webhooks", "queue", "probe", "--dir", dir), lock)
}

// probeCommand returns the command that [Probe] runs.
func probeCommand() *cobra.Command {
	cmd := subcommand(&cobra.Command{
		Use: "probe", Short: "Opens a queue and closes it, for a Caddy that waits for that", Args: cobra.NoArgs, Hidden: true,
	}, func(c call) error {
		go endWith(os.Stdin)
		return badger.Probe(c.String("dir"))
	})
	cmd.Flags().String("dir", "", "directory of the queue")
	return cmd
}

// runProbe runs a probe and returns what it died of. A probe that outlived this
// process would work on the queue beside the process that is started next. So
// it ends when its standard input does, and has the lock until it has ended.
func runProbe(ctx context.Context, probe *exec.Cmd, lock *os.File) error {
	probe.ExtraFiles = []*os.File{lock}
	leash, err := probe.StdinPipe()
	if err != nil {
		return fmt.Errorf("%w: %w", badger.ErrNotProbed, err)
	}
	// CombinedOutput closes it, too, but not if the probe cannot be started.
	defer func() { _ = leash.Close() }()
	output, err := probe.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil || !errors.As(err, &exit):
		return fmt.Errorf("%w: %w", badger.ErrNotProbed, errors.Join(ctx.Err(), err))
	default:
		return fmt.Errorf("%w: %s", err, lastWords(output))
	}
}

// exitAlone is the exit code of a probe whose Caddy is gone.
const exitAlone = 3

// endWith ends this process when its leash ends, as it does when the process
// that has started this one is gone, however it went.
func endWith(leash io.Reader) {
	_, _ = io.Copy(io.Discard, leash)
	os.Exit(exitAlone)
}

// lastWords returns the line that says what a process died of. A Go program
// prints its stack after that line; others print that line last.
func lastWords(output []byte) string {
	lines := bytes.Split(bytes.TrimSpace(output), []byte("\n"))
	for _, line := range lines {
		for _, began := range []string{"panic: ", "fatal error: ", "unexpected fault address", "runtime: ", "SIG"} {
			if bytes.HasPrefix(line, []byte(began)) {
				return string(line)
			}
		}
	}
	return string(lines[len(lines)-1])
}
