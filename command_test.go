// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"bytes"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/internal/command"
)

// command runs `caddy webhooks ARGS` against the running Caddy, and returns what
// it prints.
func (s *stage) command(args ...string) (string, error) {
	s.t.Helper()
	root := &cobra.Command{Use: "webhooks", SilenceErrors: true, SilenceUsage: true}
	command.Webhooks().CobraFunc(root)
	var printed bytes.Buffer
	root.SetOut(&printed)
	// What works on files asks no Caddy.
	if line := strings.Join(args, " "); !strings.HasPrefix(line, "queue verify") && !strings.HasPrefix(line, "queue restore") {
		args = append(args, "--address", s.admin)
	}
	root.SetArgs(args)
	err := root.Execute()
	return printed.String(), err
}
