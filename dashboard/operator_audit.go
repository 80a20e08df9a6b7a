// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"net/http"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
)

// auditedRow is who changed what, and whose it was.
type auditedRow struct {
	At                    time.Time
	Who, Tenant, Action   string
	Object, Changed, From string
}

// auditOfAll is the audit of all tenants, newest first.
type auditOfAll struct {
	Rows []auditedRow
	// Tenant narrows it, and Shown is how it is written.
	Tenant, Shown string
	Next          string
	// First leads to the first page, "" on it.
	First, Error string
}

// showAuditOfAll lists who changed what: of all, or of one tenant.
func showAuditOfAll(v *visit) error {
	asked := v.r.URL.Query()
	p := auditOfAll{Tenant: asked.Get("tenant"), Shown: visible(asked.Get("tenant"))}
	list, err := operate[admin.List[admin.AuditView]](v, get("audit").with("tenant", p.Tenant, "cursor", asked.Get("cursor"), "limit", shownRows))
	status := http.StatusOK
	if reason := refusal(err); reason != "" {
		status, p.Error = http.StatusBadRequest, reason
	} else if err != nil {
		return err
	}
	for i := range list.Items {
		a := &list.Items[i]
		who := a.Who
		if a.By != "" {
			who += " " + a.By
		}
		p.Rows = append(p.Rows, auditedRow{
			a.At, visible(who), visible(a.Tenant), visible(a.Action), visible(a.Object), visible(strings.Join(a.Changed, ", ")), visible(a.From),
		})
	}
	if list.Next != "" {
		p.Next = linkTo("tenant", p.Tenant, "cursor", string(list.Next))
	}
	if asked.Get("cursor") != "" {
		p.First = linkTo("tenant", p.Tenant)
	}
	return v.operating(status, "op-audit", "Audit log", p)
}
