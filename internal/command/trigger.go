// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// triggerWait is how long `trigger` waits for the attempt if nothing else is said, and
// maxTriggerWait the most that it can wait.
const (
	triggerWait    = 30 * time.Second
	maxTriggerWait = time.Minute
)

// triggerCommand returns `caddy webhooks trigger`.
func triggerCommand() *cobra.Command {
	cmd := subcommand(&cobra.Command{
		Use: "trigger <endpoint> <type>", Short: "Sends a sample event of a type to one endpoint", Args: cobra.ExactArgs(2),
		Long: `
Sends a sample event of a type to one endpoint, whether or not it asks for the type: a tenant's, or one of the configuration. It goes the way
of all events, signed and recorded as any other, and is marked with webhook-op: test, so that it cannot pass for what has happened.

It waits for the first attempt, and fails if the receiver does not answer with success.
`,
		Example: `  caddy webhooks trigger erp items.updated
  caddy webhooks trigger ep_… items.updated --wait 0`,
	}, trigger)
	cmd.Flags().String("wait", triggerWait.String(), "how long to wait for the attempt, at most 1m; 0 only has it sent")
	cmd.ValidArgsFunction = completion(func(c call, args []string) ([]string, error) {
		if len(args) == 0 {
			return endpointNames(c)
		}
		return typeNames(c)
	}, 2)
	return cmd
}

// triggered is a sample on its way.
type triggered struct {
	Event      string `json:"event"`
	Type       string `json:"type"`
	Deliveries []struct {
		Status   string `json:"status"`
		Attempts []struct {
			Response *received `json:"response"`
			Error    string    `json:"error"`
		} `json:"attempts"`
	} `json:"deliveries"`
}

// trigger sends a sample to an endpoint, and says what came of it.
func trigger(c call) error {
	wait, err := caddy.ParseDuration(c.String("wait"))
	if err != nil || wait < 0 || wait > maxTriggerWait {
		return fmt.Errorf("--wait is how long to wait, as 10s, and at most %s, not %q", maxTriggerWait, c.String("wait"))
	}
	query := url.Values{}
	if wait > 0 {
		query.Set("wait", wait.String())
	}
	text, err := c.ask(http.MethodPost, c.endpointPath("/test"), query, map[string]string{"type": c.Arg(1)})
	if err != nil {
		return err
	}
	var sent triggered
	if err := decode(bytes.NewReader(text), &sent); err != nil {
		return err
	}
	line, failed := sent.outcome(c.Arg(0), wait)
	if c.Bool("json") {
		return errors.Join(c.printAnswer(text), failed)
	}
	if failed != nil {
		return failed
	}
	_, err = fmt.Fprint(c.out, sentence(line, c.width))
	return err
}

// outcome says what came of a sample, or returns why it did not arrive.
func (t *triggered) outcome(endpoint string, wait time.Duration) (string, error) {
	what := fmt.Sprintf("%s (%s)", t.Type, t.Event)
	see := "; see caddy webhooks deliveries --event " + t.Event
	if wait == 0 {
		return fmt.Sprintf("%s is on its way to %s%s.", what, endpoint, see), nil
	}
	if len(t.Deliveries) == 0 {
		return "", fmt.Errorf("%s is not on its way to %s%s", what, endpoint, see)
	}
	d := t.Deliveries[0]
	switch {
	case len(d.Attempts) == 0:
		return "", fmt.Errorf("%s was not attempted within %s, and waits: is %s paused, or busy? See caddy webhooks endpoints", what, wait, endpoint)
	case d.Status != string(queue.StatusDelivered):
		return "", fmt.Errorf("%s did not arrive at %s: %s%s", what, endpoint, d.Attempts[0].Error, see)
	}
	answered := ""
	if got := d.Attempts[0].Response; got != nil {
		answered = fmt.Sprintf(", which answered %d in %d ms", got.Status, got.MS)
	}
	return fmt.Sprintf("%s arrived at %s%s.", what, endpoint, answered), nil
}
