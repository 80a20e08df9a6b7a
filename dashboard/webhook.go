// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
)

// webhookPage is one webhook: how it is, how it fares, and what can be done.
type webhookPage struct {
	Is     callbacks.EndpointView
	Name   string
	Health state
	Reason string
	// Payload, Signature, Order and Auth are what the settings are called.
	Payload, Signature, Order, Auth string
	Keys                            []keyRow
	Latest                          []deliveryRow
	// Filtered is how many events its filter has left out.
	Filtered *callbacks.FilteredList
	// Run is what it begins with, or has begun with, nil for nothing.
	Run     *callbacks.RunView
	Running bool
	Notice  string
}

// keyRow is a key that signs.
type keyRow struct {
	ID      string
	Until   time.Time
	Current bool
}

// shownLatest is how many deliveries the page of a webhook shows.
const shownLatest = 5

// showWebhook shows one webhook.
func showWebhook(v *visit) error {
	done, err := v.api.endpoint(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	e := done.Body
	page := webhookPage{
		Is: e, Name: nameOf(&e), Health: healthOf(&e), Reason: sentence(e.Reason), Payload: named(formatNames, e.Payload.Format),
		Signature: signatureName(e.Signature), Order: named(orderNames, e.Order), Auth: authNames["none"], Notice: v.notice(),
	}
	if e.Auth != nil {
		page.Auth = named(authNames, e.Auth.Scheme)
	}
	for i, key := range e.Secrets {
		page.Keys = append(page.Keys, keyRow{key.ID, key.Until, i == 0})
	}
	if page.Latest, _, err = v.deliveries(get("endpoints", e.ID, "deliveries").with("limit", strconv.Itoa(shownLatest))); err != nil {
		return err
	}
	if e.Filter != "" {
		left, err := ask[callbacks.FilteredList](&v.api, get("endpoints", e.ID, "filtered").with("limit", "1"))
		if err != nil {
			return err
		}
		page.Filtered = &left.Body
	}
	run, err := ask[callbacks.RunView](&v.api, get("endpoints", e.ID, "snapshot"))
	switch {
	case err == nil:
		page.Run, page.Running = &run.Body, run.Body.EndedAt.IsZero()
	case !isProblem(err, http.StatusNotFound):
		return err
	}
	return v.show(http.StatusOK, View{Name: "webhook", Title: page.Name, Section: "webhooks", Data: page})
}

// isProblem reports whether an error is a problem of a status.
func isProblem(err error, status int) bool {
	var p *callbacks.Problem
	return errors.As(err, &p) && p.Status == status
}

// pathSegment writes a text for a path.
func pathSegment(text string) string { return url.PathEscape(text) }

// at returns the path of a page of a webhook.
func at(id, page string) string {
	path := "/webhooks/" + pathSegment(id)
	if page == "" {
		return path
	}
	return path + "/" + page
}

// doing does something to a webhook, and goes back to its page, which says so.
func (v *visit) doing(q request, word string) error {
	if _, err := ask[callbacks.EndpointView](&v.api, q); err != nil {
		return err
	}
	return v.leave(at(v.r.PathValue("id"), "") + "?done=" + word)
}

func pauseWebhook(v *visit) error {
	return v.doing(post("endpoints", v.r.PathValue("id"), "pause"), "paused")
}

func resumeWebhook(v *visit) error {
	return v.doing(post("endpoints", v.r.PathValue("id"), "resume"), "resumed")
}

// beginSnapshot has a webhook be told of all objects.
func beginSnapshot(v *visit) error {
	if _, err := ask[callbacks.RunView](&v.api, post("endpoints", v.r.PathValue("id"), "snapshot")); err != nil {
		return err
	}
	return v.leave(at(v.r.PathValue("id"), "") + "?done=begun")
}

// cancelSnapshot ends what a webhook begins with.
func cancelSnapshot(v *visit) error {
	if _, err := ask[callbacks.RunView](&v.api, request{method: http.MethodDelete, path: []string{"endpoints", v.r.PathValue("id"), "snapshot"}}); err != nil {
		return err
	}
	return v.leave(at(v.r.PathValue("id"), "") + "?done=ended")
}
