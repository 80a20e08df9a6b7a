// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// probePatience bounds how long another process may take to open a queue.
const probePatience = 5 * time.Minute

// probeQueue opens a queue in a process of its own, which may die of it.
func probeQueue(dir string) error {
	if flag.Lookup("test.v") != nil {
		// A test's binary is no Caddy: it would run all tests again.
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), probePatience)
	defer cancel()
	//nolint:gosec // this program itself, and the directory that the operator has configured
	output, err := exec.CommandContext(ctx, self, "webhooks", "queue", "probe", "--dir", dir).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("%w: %s", err, lastLine(output))
	}
	return err
}

// lastLine returns the last line of what a process has said.
func lastLine(output []byte) string {
	lines := bytes.Split(bytes.TrimSpace(output), []byte("\n"))
	return string(lines[len(lines)-1])
}
