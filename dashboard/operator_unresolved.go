// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
)

// unresolvedRow is an exchange that changed something, or may have, without telling what.
type unresolvedRow struct {
	ID               string
	Rule, Kind       string
	Resource, Reason string
	At               time.Time
	// Listed is true if all objects of the resource can be listed, which finds it.
	Listed bool
}

// gapRow is a resource whose changes passed without the queue.
type gapRow struct {
	Resource string
	Since    time.Time
	// Deletes is true if an object may have been deleted meanwhile.
	Deletes, Listed bool
}

// unresolvedPage is what changed without anybody being able to tell which object.
type unresolvedPage struct {
	Rows []unresolvedRow
	Gaps []gapRow
	Next string
	// Later is true behind the first page.
	Later         bool
	Notice, Error string
}

// showUnresolved lists them, newest first.
func showUnresolved(v *visit) error { return v.showUnresolvedAs(http.StatusOK, "") }

func (v *visit) showUnresolvedAs(status int, wrong string) error {
	c, err := operate[admin.Coverage](v, get("coverage"))
	if err != nil {
		return err
	}
	cursor := v.r.URL.Query().Get("cursor")
	list, err := operate[admin.List[admin.UnresolvedView]](v, get("unresolved").with("cursor", cursor, "limit", shownRows))
	if err != nil {
		return err
	}
	listed := func(resource string) bool {
		return slices.Contains(c.Resources, resource) && !slices.Contains(c.Unlisted, resource)
	}
	p := unresolvedPage{Later: cursor != "", Notice: v.done(), Error: wrong}
	for i := range list.Items {
		u := &list.Items[i]
		p.Rows = append(p.Rows, unresolvedRow{
			ID: strconv.FormatUint(u.ID, 10), Rule: visible(u.Rule), Kind: string(u.Kind), Resource: visible(u.Resource), Reason: sentence(visible(u.Reason)),
			At: u.At, Listed: listed(u.Resource),
		})
	}
	for _, gap := range c.Gaps {
		p.Gaps = append(p.Gaps, gapRow{visible(gap.Resource), gap.Since, gap.Deletes, listed(gap.Resource)})
	}
	if list.Next != "" {
		p.Next = linkTo("cursor", string(list.Next))
	}
	return v.operating(status, "op-unresolved", "Unresolved and gaps", p)
}

// dismissUnresolved forgets one record.
func dismissUnresolved(v *visit) error {
	if _, err := operate[admin.DoneView](v, post("dismiss").with("id", v.r.PathValue("id"))); err != nil {
		return err
	}
	return v.operated("unresolved", "dismissed")
}

// listResource has all objects of a resource listed, which finds what has changed.
func listResource(v *visit) error {
	outcome, err := operate[admin.Outcome](v, post("list").with("resource", v.r.PathValue("name"), "wait", waited))
	if reason := refusal(err); reason != "" {
		return v.showUnresolvedAs(http.StatusConflict, reason)
	}
	if err != nil {
		return err
	}
	return v.operated("unresolved", outcomeWord(&outcome, "listing"))
}

// waited is how long a page waits for what comes of a look: most are done by then. Tests set
// it.
var waited = "2s"

// outcomeWord returns the word of the notice that says what came of a look, or that it goes on.
func outcomeWord(o *admin.Outcome, waiting string) string {
	if o.Result == "" || o.Result == admin.ResultWaiting {
		return waiting
	}
	return o.Result
}
