// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
)

// outcomeWait is how long a command waits for what comes of it.
const outcomeWait = 10 * time.Second

// look has an object or a list looked at, and prints what came of it. What could
// not be read is an error; it is tried again all the same.
func (c call) look(verb string, query url.Values) error {
	if wait := c.Duration("wait"); wait != 0 {
		query.Set("wait", wait.String())
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	var outcome admin.Outcome
	if err := client.do(http.MethodPost, "/webhooks/"+verb, query, nil, &outcome); err != nil {
		return err
	}
	subject := c.Arg(0)
	if c.Bool("json") {
		return c.printJSON(outcome)
	}
	if outcome.Result == admin.ResultFailing {
		return fmt.Errorf("%s could not be read: %s; it is tried again at %s, see caddy webhooks marks",
			subject, cell(outcome.Reason), when(outcome.DueAt))
	}
	_, err = fmt.Fprintf(c.out, "%s %s\n", subject, outcomeText(&outcome, c.Duration("wait")))
	return err
}

// outcomeText says what came of a look.
func outcomeText(o *admin.Outcome, waited time.Duration) string {
	switch o.Result {
	case "":
		return "is noted: it is looked at soon, see caddy webhooks marks."
	case admin.ResultWaiting:
		return fmt.Sprintf("is noted, and waits since %s: it is looked at after what was there before, see caddy webhooks marks.", waited)
	case admin.ResultEvents:
		var told strings.Builder
		for _, e := range o.Events {
			fmt.Fprintf(&told, "\n%s%s  %s  #%d", indent, cell(e.Type), e.ID, e.Sequence)
		}
		return "has changed:" + told.String()
	case admin.ResultUnchanged:
		return "is as it was known: there is nothing to tell."
	case admin.ResultKnown:
		if o.Name != "" {
			return "is another name of " + cell(o.Name) + ", which is looked at."
		}
		return "is known from now on; there was no event, as nobody is known to have changed it."
	case admin.ResultGone:
		return "is gone, as was known: there is nothing to tell."
	case admin.ResultUnknown:
		return "is not known, and the API does not have it."
	case admin.ResultUnresolved:
		return "is unresolved: " + cell(o.Reason) + "; see caddy webhooks unresolved."
	case admin.ResultListed:
		text := "is listed: " + counted(o.Objects, "object") + "."
		if o.Reason != "" {
			text += " " + cell(o.Reason)
		}
		return text
	}
	return cell(o.Result)
}
