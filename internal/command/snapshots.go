// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"
)

// snapshotList is the list of what endpoints begin with.
var snapshotList = list{
	name: "snapshots", short: "Lists what endpoints begin with; starts and cancels it", paged: true, argument: "tenant", optional: true,
	headings: []string{"ENDPOINT", "STATE", "DONE", "OF", "RESOURCE", "TENANT", "BEGAN", "ENDED", "FILTERED", "UNREAD"},
	row: func(r map[string]any) []any {
		return []any{
			r["endpoint"], r["state"], r["done"], r["of"], r["resource"], r["tenant"], clock(r["began"]), clock(r["ended"]), r["filtered"], r["unread"],
		}
	},
}

// snapshotsCommand returns `caddy webhooks snapshots`.
func snapshotsCommand() *cobra.Command {
	start := subcommand(&cobra.Command{
		Use: "start <endpoint>", Short: "Has a tenant's endpoint be told of all objects, once more", Args: cobra.ExactArgs(1),
		Long: "Has a tenant's endpoint be told of all objects, once more, as after its receiver has lost what it had. Each start lists all objects of its resources anew.",
	}, func(c call) error { return changeSnapshot(c, http.MethodPost) })
	cancel := subcommand(&cobra.Command{
		Use: "cancel <endpoint>", Short: "Ends what an endpoint begins with, wherever it is", Args: cobra.ExactArgs(1),
		Long: "Ends what an endpoint begins with, wherever it is: a snapshot, or the events of before. What is on its way already still comes.",
	}, func(c call) error { return changeSnapshot(c, http.MethodDelete) })
	listed := snapshotList.command()
	listed.Long = `
Lists what endpoints begin with, by their names, of all tenants or of one: the last of each, be it running or over. Its state is listing (all
objects are looked up), walking (one after the other is sent), replaying (events of before are sent), done or cancelled.
`
	listed.Example = `  caddy webhooks snapshots acme
  caddy webhooks snapshots cancel ep_…`
	for _, cmd := range []*cobra.Command{start, cancel} {
		completes(cmd, storedNames)
	}
	listed.AddCommand(start, cancel)
	return listed
}

// changeSnapshot starts or ends what an endpoint begins with, and prints how far it is then.
func changeSnapshot(c call, method string) error {
	text, err := c.ask(method, c.endpointPath("/snapshot"), nil, nil)
	if err != nil {
		return err
	}
	var run struct {
		State string `json:"state"`
		Done  int    `json:"done"`
		Of    int    `json:"of"`
	}
	if err := decode(bytes.NewReader(text), &run); err != nil {
		return err
	}
	return c.printAnswerOr(text, func() error {
		_, err := fmt.Fprint(c.out, sentence(fmt.Sprintf("What endpoint %s begins with is %s, at %d of %d.", c.Arg(0), run.State, run.Done, run.Of), c.width))
		return err
	})
}
