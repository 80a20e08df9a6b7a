// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"bytes"

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
	root.SetArgs(append(args, "--address", s.admin))
	err := root.Execute()
	return printed.String(), err
}
