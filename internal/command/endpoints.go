// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

// endpointCommands returns the commands that list, change, pause and resume endpoints, and
// send them what waits or a sample.
func endpointCommands() []*cobra.Command {
	pause := subcommand(&cobra.Command{
		Use: "pause <endpoint>", Short: "Stops deliveries to an endpoint until it is resumed", Args: cobra.ExactArgs(1),
		Long: "Stops deliveries to an endpoint until it is resumed, over restarts too. Its events are kept, as long as the retention.",
	}, func(c call) error {
		return setEndpoint(c, "pause", map[string]string{"reason": c.String("reason")})
	})
	pause.Flags().String("reason", "", "why, for those who look")
	resume := subcommand(&cobra.Command{
		Use: "resume <endpoint>", Short: "Lets deliveries to an endpoint go on that was paused or disabled", Args: cobra.ExactArgs(1),
	}, func(c call) error {
		return setEndpoint(c, "resume", nil)
	})
	listed := endpointList.command()
	listed.Long = `
Lists endpoints and how they stand: all that are delivered to, or those of a tenant, with what the tenant calls them and those that are only
read. The commands below it change those that tenants have made; those of the configuration are changed there.
`
	listed.Example = `  caddy webhooks endpoints
  caddy webhooks endpoints acme`
	listed.AddCommand(managingCommands()...)
	for _, cmd := range []*cobra.Command{pause, resume} {
		completes(cmd, func(c call, _ []string) ([]string, error) { return endpointNames(c) })
	}
	return []*cobra.Command{listed, pause, resume, retryCommand(), triggerCommand(), snapshotsCommand()}
}

// setEndpoint pauses or resumes an endpoint, and prints how it stands then.
func setEndpoint(c call, verb string, body any) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var standing struct {
		Name   string `json:"name"`
		Status string `json:"status"`
	}
	path := "/webhooks/endpoints/" + url.PathEscape(c.Arg(0)) + "/" + verb
	if err := client.do(http.MethodPost, path, nil, body, &standing); err != nil {
		return err
	}
	return c.report(standing, fmt.Sprintf("Endpoint %s is %s.\n", standing.Name, standing.Status))
}
