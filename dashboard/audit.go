// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"net/http"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// auditPage lists who has changed what, newest first.
type auditPage struct {
	Rows []auditRow
	Next string
	// Later is true on pages behind the first.
	Later bool
}

// auditRow is something that was done.
type auditRow struct {
	At time.Time
	// What says in words what was done, and Action as programs have it.
	What, Action string
	Who, From    string
	// Object is what it was done to, and Path the page of that, "" if there is none.
	Object, Path string
	Changed      []string
}

// showAudit lists what was done to what the tenant has.
func showAudit(v *visit) error {
	cursor := v.r.URL.Query().Get("cursor")
	done, err := ask[callbacks.List[subscribers.Audited]](&v.api, get("audit").with("cursor", cursor))
	if err != nil {
		return err
	}
	p := auditPage{Next: done.Body.Next, Later: cursor != ""}
	for i := range done.Body.Data {
		p.Rows = append(p.Rows, auditRowOf(&done.Body.Data[i]))
	}
	return v.show(http.StatusOK, View{Name: "audit", Title: "Audit log", Section: "audit", Data: p})
}

func auditRowOf(a *subscribers.Audited) auditRow {
	row := auditRow{
		At: a.At, Action: a.Action, What: named(auditNames, a.Action), Who: visible(a.Who), From: a.From, Object: visible(a.Object), Changed: a.Changed,
	}
	// What was deleted has no page; to the others it leads, as far as they are still there.
	switch kind, what, _ := strings.Cut(a.Action, "."); {
	case kind == "endpoint" && what != "delete":
		row.Path = at(a.Object, "")
	case kind == "delivery":
		row.Path = "/deliveries/" + pathSegment(a.Object)
	}
	return row
}
