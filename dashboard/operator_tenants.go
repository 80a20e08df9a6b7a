// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
)

// tenantRow is a tenant in the list.
type tenantRow struct {
	// Name is "" for what belongs to none, Shown how it is written.
	Name, Shown     string
	Endpoints, Keys int
	Pending, Dead   string
	Troubled        bool
}

// tenantsPage is the list of tenants.
type tenantsPage struct {
	Rows []tenantRow
	Next string
	// Later is true behind the first page.
	Later bool
}

// uncounted stands for a number that is not known.
const uncounted = "–"

func countedOr(n *int) string {
	if n == nil {
		return uncounted
	}
	return thousands(*n)
}

// orMore writes a number, with a + where there may be more.
func orMore(n int, atLeast bool) string {
	if atLeast {
		return thousands(n) + "+"
	}
	return thousands(n)
}

// showTenants lists who has endpoints or keys.
func showTenants(v *visit) error {
	cursor := v.r.URL.Query().Get("cursor")
	list, err := operate[admin.List[*admin.TenantView]](v, get("tenants").with("cursor", cursor, "limit", shownRows))
	if err != nil {
		return err
	}
	p := tenantsPage{Later: cursor != ""}
	for _, t := range list.Items {
		p.Rows = append(p.Rows, tenantRow{
			Name: t.Name, Shown: visible(t.Name), Endpoints: t.Endpoints + t.Declared, Keys: t.Keys, Pending: countedOr(t.Pending), Dead: orMore(t.Dead, t.DeadAtLeast),
			Troubled: t.Dead > 0,
		})
	}
	if list.Next != "" {
		p.Next = linkTo("cursor", string(list.Next))
	}
	return v.operating(http.StatusOK, "op-tenants", "Tenants", p)
}
