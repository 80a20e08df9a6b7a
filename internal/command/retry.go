// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
)

// retryCommand returns the command that sends an endpoint what waits for it.
func retryCommand() *cobra.Command {
	cmd := subcommand(&cobra.Command{
		Use: "retry <endpoint>", Short: "Sends an endpoint now what waits for a retry", Args: cobra.ExactArgs(1),
		Long: `
Sends an endpoint now what waits for a retry: deliveries that failed and are due
later, and those that a pause holds up which its receiver asked for. Where the
receiver was down, it gets one attempt at a time until it answers.

Such attempts take nothing of the endpoint's retry schedule: what fails again
is due when it was before.
`,
	}, func(c call) error {
		client, err := c.client()
		if err != nil {
			return err
		}
		var done admin.RetryView
		path := "/webhooks/endpoints/" + url.PathEscape(c.Arg(0)) + "/retry"
		if err := client.do(http.MethodPost, path, c.query("object"), nil, &done); err != nil {
			return err
		}
		if done.Hastened == 0 {
			return c.report(done, fmt.Sprintf("No delivery to %s waits for a retry; those that are due are being sent.\n", c.Arg(0)))
		}
		return c.report(done, fmt.Sprintf("Sending %s to %s that waited for a retry.\n", deliveryCount(done.Hastened), c.Arg(0)))
	})
	cmd.Flags().String("object", "", "only deliveries of this object, as items/42")
	return cmd
}
