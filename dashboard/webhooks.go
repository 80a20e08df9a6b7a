// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"net/http"
	"net/url"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
)

// webhookRow is a webhook in the list.
type webhookRow struct {
	ID, Name, Host string
	Health         state
	Reason         string
	Since          time.Time
	Events         []string
	More           int
}

// webhooksPage is the list of a tenant's webhooks.
type webhooksPage struct {
	Rows []webhookRow
	// Troubled are those that need their owner: what mends itself is in the list.
	Troubled []webhookRow
	Next     string
	// Later is true on pages behind the first.
	Later bool
	// Notice is what has just been done, "" for nothing.
	Notice string
}

// shownEvents is how many patterns of a webhook the list shows.
const shownEvents = 3

// nameOf returns what a webhook is called.
func nameOf(e *callbacks.EndpointView) string {
	switch {
	case e.Label != "":
		return e.Label
	case e.URL != "":
		return hostOf(e.URL)
	}
	return e.ID
}

// hostOf returns the host of a URL. The rest of it may hold a token, and is shown only
// where the webhook itself is.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Host
}

// healthOf returns how a webhook fares.
func healthOf(e *callbacks.EndpointView) state {
	if e.URL == "" && e.Status == "active" {
		return feedOnly
	}
	return stateOf(healthStates, e.Status)
}

func rowOf(e *callbacks.EndpointView) webhookRow {
	row := webhookRow{ID: e.ID, Name: nameOf(e), Host: hostOf(e.URL), Health: healthOf(e), Reason: sentence(e.Reason), Since: e.Since, Events: e.Events}
	if len(row.Events) > shownEvents {
		row.Events, row.More = row.Events[:shownEvents-1], len(row.Events)-shownEvents+1
	}
	return row
}

// notices are what a page says that follows something done. The word stands in the URL, so
// that a reload says it again and does nothing.
var notices = map[string]string{
	"deleted": "The webhook was deleted.", "saved": "The changes were saved.", "paused": "The webhook is paused: its events wait.",
	"resumed": "The webhook gets deliveries again.", "revoked": "The key signs nothing more.", "begun": "The snapshot has begun.", "ended": "The snapshot has ended.",
	"key-ended": "The API key opens nothing more.", "resent": "It is sent again.", "sent": "It had been sent already, or waits to be.",
}

func (v *visit) notice() string { return notices[v.r.URL.Query().Get("done")] }

// showWebhooks lists a tenant's webhooks, with their health.
func showWebhooks(v *visit) error {
	cursor := v.r.URL.Query().Get("cursor")
	list, err := v.api.endpoints(cursor)
	if err != nil {
		return err
	}
	page := webhooksPage{Next: list.Next, Later: cursor != "", Notice: v.notice()}
	for i := range list.Data {
		row := rowOf(&list.Data[i])
		page.Rows = append(page.Rows, row)
		if status := list.Data[i].Status; status == "failing" || status == "disabled" {
			page.Troubled = append(page.Troubled, row)
		}
	}
	return v.show(http.StatusOK, View{Name: "webhooks", Title: "Webhooks", Section: "webhooks", Data: page})
}
