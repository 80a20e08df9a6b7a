// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"net/http"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
)

// endpointRow is an endpoint in the operators' list.
type endpointRow struct {
	// Name names it, Path is that as part of a path, and Shown is how it is written.
	Name, Path, Shown, Label, Host, Tenant string
	Health                                 state
	Reason                                 string
	Since                                  time.Time
	Pending                                int
}

// endpointsPage is the list of all endpoints.
type endpointsPage struct {
	Rows []endpointRow
	Tabs []tab
	// Tenant and State narrow it, Shown is how the tenant is written, and Error says why they
	// cannot.
	Tenant, Shown, State, Error string
	// Next leads to the following page, First to the first, "" on it, and Whole to that of
	// all tenants.
	Next, First, Whole string
}

func rowOfEndpoint(e *admin.EndpointView) endpointRow {
	return endpointRow{
		Name: e.Name, Path: pathSegment(e.Name), Shown: visible(e.Name), Label: visible(e.Label), Host: hostOf(e.Host), Tenant: visible(e.Tenant), Health: stateOf(endpointStates, string(e.Status)),
		Reason: sentence(visible(e.Reason)), Since: e.Since, Pending: e.Pending,
	}
}

// showEndpoints lists endpoints, by name.
func showEndpoints(v *visit) error {
	asked := v.r.URL.Query()
	p := endpointsPage{Tenant: asked.Get("tenant"), Shown: visible(asked.Get("tenant")), State: asked.Get("state"), Whole: linkTo("state", asked.Get("state"))}
	for _, of := range endpointFilters {
		p.Tabs = append(p.Tabs, tab{of.text, linkTo("state", of.state, "tenant", p.Tenant), of.state == p.State})
	}
	list, err := operate[admin.List[admin.EndpointView]](v, get("endpoints").with("tenant", p.Tenant, "state", p.State, "cursor", asked.Get("cursor"), "limit", shownRows))
	status := http.StatusOK
	switch {
	case err == nil:
	case isRefused(err, http.StatusNotFound) && p.Tenant != "":
		status, p.Error = http.StatusNotFound, "There is no such tenant: none with that name has an endpoint or a key."
	case refusal(err) != "":
		status, p.Error = http.StatusBadRequest, refusal(err)
	default:
		return err
	}
	for i := range list.Items {
		p.Rows = append(p.Rows, rowOfEndpoint(&list.Items[i]))
	}
	if asked.Get("cursor") != "" {
		p.First = linkTo("state", p.State, "tenant", p.Tenant)
	}
	if list.Next != "" {
		p.Next = linkTo("state", p.State, "tenant", p.Tenant, "cursor", string(list.Next))
	}
	return v.operating(status, "op-endpoints", "Endpoints", p)
}
