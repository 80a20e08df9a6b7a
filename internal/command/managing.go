// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// managingCommands returns what is done to the endpoints that tenants have made, below
// `caddy webhooks endpoints`. Each does what the tenant can do by its own API.
func managingCommands() []*cobra.Command {
	add := subcommand(&cobra.Command{
		Use: "add <tenant>", Short: "Makes an endpoint for a tenant, and prints its secret once", Args: cobra.MaximumNArgs(1),
		Long: `
Makes an endpoint for a tenant, as the tenant could do it by its own API: with the same limits, and with a test of its receiver first, unless
the configuration says otherwise. With --shared, it is made where all callers share one tenant.

The secret that signs is printed, and cannot be read again.
`,
		Example: `  caddy webhooks endpoints add acme --label ERP \
    --url https://erp.example.com/hooks --events 'items.*'
  caddy webhooks endpoints add acme --url https://erp.example.com/hooks \
    --auth bearer --credential-file token`,
	}, addEndpoint)
	addMemberFlags(add)
	add.Flags().Bool("shared", false, "for the callers that share one tenant, instead of a tenant")
	add.Flags().String("begin", "", "what it begins with: now, snapshot, or a time as 6h (default: now)")
	completes(add, tenantNames)

	change := subcommand(&cobra.Command{
		Use: "change <endpoint>", Short: "Changes what an endpoint is", Args: cobra.ExactArgs(1),
		Long: "Changes the members that flags say, and leaves all others. When it ends, deliveries go by the change. Endpoints of the configuration are changed there.",
		Example: `  caddy webhooks endpoints change ep_… --url https://erp.example.com/new
  caddy webhooks endpoints change ep_… --auth none
  caddy webhooks endpoints change ep_… --unset filter,rate`,
	}, changeEndpoint)
	addMemberFlags(change)
	change.Flags().StringSlice("unset", nil, "members that get their defaults, as filter")
	completes(change, storedNames)

	enable := subcommand(&cobra.Command{
		Use: "enable <endpoint>", Short: "Lets an endpoint get deliveries again, as its owner can", Args: cobra.ExactArgs(1),
		Long: "Lets an endpoint get deliveries again that its owner has paused, or that was disabled because it failed. One that an operator has paused is resumed with caddy webhooks resume.",
	}, func(c call) error { return switchEndpoint(c, "enable", "active") })
	disable := subcommand(&cobra.Command{
		Use: "disable <endpoint>", Short: "Has deliveries to an endpoint wait, as its owner can", Args: cobra.ExactArgs(1),
		Long: "Has deliveries to an endpoint wait. Its owner can enable it again: to hold it back whatever its owner does, use caddy webhooks pause.",
	}, func(c call) error { return switchEndpoint(c, "disable", "paused") })

	rotate := subcommand(&cobra.Command{
		Use: "rotate <endpoint>", Short: "Replaces the secret of an endpoint, and prints the new one once", Args: cobra.ExactArgs(1),
		Long: "Replaces the secret that signs the deliveries of an endpoint, and prints the new one, which cannot be read again. The old one signs beside it for --overlap.",
		Example: `  caddy webhooks endpoints rotate ep_… --overlap 48h
  caddy webhooks endpoints rotate ep_… --overlap 0s --quiet > secret`,
	}, rotateEndpoint)
	rotate.Flags().String("overlap", "", "how long the old secret signs, too; 0s ends it at once (default: 24h)")
	rotate.Flags().BoolP("quiet", "q", false, "print the secret alone")

	remove := subcommand(&cobra.Command{
		Use: "delete <endpoint>", Short: "Deletes an endpoint that a tenant has made", Args: cobra.ExactArgs(1),
		Long: "Deletes an endpoint that a tenant has made, and cancels what waits for it. To have it get nothing for a while, disable it.",
	}, deleteEndpoint)
	for _, cmd := range []*cobra.Command{enable, disable, rotate, remove} {
		completes(cmd, storedNames)
	}
	return []*cobra.Command{add, change, enable, disable, rotate, remove}
}

// endpointAnswer is an endpoint as the tenants' API answers it.
type endpointAnswer struct {
	ID           string        `json:"id"`
	Label        string        `json:"label"`
	URL          string        `json:"url"`
	Events       []string      `json:"events"`
	Filter       string        `json:"filter"`
	Status       string        `json:"status"`
	Reason       string        `json:"reason"`
	Secret       string        `json:"secret"`
	Cursor       string        `json:"cursor"`
	Verification *verification `json:"verification"`
}

// verification is what came of a test of a receiver.
type verification struct {
	Response *received `json:"response"`
}

// received is what a receiver answered.
type received struct {
	Status int   `json:"status"`
	MS     int64 `json:"ms"`
}

func (v *verification) String() string {
	if v == nil || v.Response == nil {
		return ""
	}
	return fmt.Sprintf("a test was answered with %d, in %d ms", v.Response.Status, v.Response.MS)
}

// endpointPath is the path of the endpoint that the first argument names.
func (c call) endpointPath(more string) string {
	return "/webhooks/endpoints/" + url.PathEscape(c.Arg(0)) + more
}

// ask makes a request, and returns the text of its answer.
func (c call) ask(method, path string, query url.Values, body any) ([]byte, error) {
	client, err := c.client()
	if err != nil {
		return nil, err
	}
	answer, err := client.open(method, path, query, body)
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	text, err := io.ReadAll(io.LimitReader(answer, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	return text, nil
}

// addEndpoint makes an endpoint.
func addEndpoint(c call) error {
	path, tenant := "/webhooks/shared/endpoints", c.Arg(0)
	switch shared := c.Bool("shared"); {
	case shared && tenant != "":
		return errors.New("--shared is in place of a tenant; leave one out")
	case !shared && tenant == "":
		return fmt.Errorf("say whose it is; usage: %s", c.cmd.UseLine())
	case !shared:
		path = "/webhooks/tenants/" + url.PathEscape(tenant) + "/endpoints"
	}
	members, err := c.members()
	if err != nil {
		return err
	}
	if begin := c.String("begin"); begin != "" {
		members["begin"] = begin
	}
	text, err := c.ask(http.MethodPost, path, nil, members)
	if err != nil {
		return err
	}
	return c.printEndpoint(text)
}

// changeEndpoint changes an endpoint.
func changeEndpoint(c call) error {
	members, err := c.members()
	if err != nil {
		return err
	}
	if err := c.unset(members); err != nil {
		return err
	}
	if len(members) == 0 {
		return errors.New("say what is to change, as --label ERP; see --help")
	}
	text, err := c.ask(http.MethodPatch, c.endpointPath(""), nil, members)
	if err != nil {
		return err
	}
	return c.printEndpoint(text)
}

// printEndpoint prints an endpoint that was made or changed. Its secret can be shown only
// now.
func (c call) printEndpoint(answer []byte) error {
	var e endpointAnswer
	if err := decode(bytes.NewReader(answer), &e); err != nil {
		return err
	}
	err := c.printAnswerOr(answer, func() error {
		err := printFields(c.out, c.width, []field{
			{"endpoint", e.ID},
			{"label", e.Label},
			{"url", e.URL},
			{"events", strings.Join(e.Events, ", ")},
			{"filter", e.Filter},
			{"status", state(e.Status, time.Time{}, e.Reason)},
			{"receiver", e.Verification.String()},
			{"secret", e.Secret},
			{"cursor", e.Cursor},
		})
		return errors.Join(err, c.keepSecret(e.Secret))
	})
	if err != nil && e.Secret != "" {
		return fmt.Errorf("endpoint %s is stored, but its secret could not be printed: %w; replace it with caddy webhooks endpoints rotate %s", e.ID, err, e.ID)
	}
	return err
}

// printAnswerOr prints an answer as it came with --json, and otherwise as text.
func (c call) printAnswerOr(answer []byte, text func() error) error {
	if c.Bool("json") {
		return c.printAnswer(answer)
	}
	return text()
}

// keepSecret says that a secret is shown this once, if there is one.
func (c call) keepSecret(secret string) error {
	if secret == "" {
		return nil
	}
	_, err := fmt.Fprint(c.out, "\n"+sentence("Keep the secret: it cannot be read again.", c.width))
	return err
}

// switchEndpoint enables or disables an endpoint. It fails if the endpoint does not stand so
// then: an operator may hold it back.
func switchEndpoint(c call, verb, want string) error {
	text, err := c.ask(http.MethodPost, c.endpointPath("/"+verb), nil, nil)
	if err != nil {
		return err
	}
	var e endpointAnswer
	if err := decode(bytes.NewReader(text), &e); err != nil {
		return err
	}
	if want == "active" && e.Status == "paused" {
		return fmt.Errorf("endpoint %s is paused still: %s; resume it with caddy webhooks resume %s", e.ID, e.Reason, e.ID)
	}
	return c.printAnswerOr(text, func() error {
		_, err := fmt.Fprintf(c.out, "Endpoint %s is %s.\n", e.ID, e.Status)
		return err
	})
}

// rotateEndpoint replaces the secret of an endpoint.
func rotateEndpoint(c call) error {
	if c.Bool("json") {
		if err := c.without("--json prints the secret with all that is known of it", "quiet"); err != nil {
			return err
		}
	}
	body := map[string]string{}
	if overlap := c.String("overlap"); overlap != "" {
		body["overlap"] = overlap
	}
	text, err := c.ask(http.MethodPost, c.endpointPath("/secrets"), nil, body)
	if err != nil {
		return err
	}
	var made struct {
		Secret string `json:"secret"`
		Until  string `json:"previous_until"`
	}
	if err := decode(bytes.NewReader(text), &made); err != nil {
		return err
	}
	err = c.printAnswerOr(text, func() error {
		if c.Bool("quiet") {
			_, err := fmt.Fprintln(c.out, made.Secret)
			return err
		}
		err := printFields(c.out, c.width, []field{{"secret", made.Secret}, {"the old one signs until", clock(made.Until)}})
		return errors.Join(err, c.keepSecret(made.Secret))
	})
	if err != nil {
		return fmt.Errorf("the secret of %s was replaced, but could not be printed: %w; replace it again", c.Arg(0), err)
	}
	return nil
}

// deleteEndpoint deletes an endpoint.
func deleteEndpoint(c call) error {
	text, err := c.ask(http.MethodDelete, c.endpointPath(""), nil, nil)
	if err != nil {
		return err
	}
	if len(text) > 0 {
		return fmt.Errorf("reading the answer: it is not that of the admin API, so endpoint %s may be there still", c.Arg(0))
	}
	return c.report(map[string]string{"deleted": c.Arg(0)}, fmt.Sprintf("Endpoint %s is deleted.\n", c.Arg(0)))
}
