// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// pageBudget is how long a page may take with many, in milliseconds at the median.
const pageBudget = 100.0

// pages are the main ones that a subscriber opens.
var pages = []look{
	{"P9.page.webhooks", direct(func(*crowd, *subscribers.Endpoint, int) string { return "/" })},
	{"P9.page.webhook", direct(func(_ *crowd, of *subscribers.Endpoint, _ int) string { return "/webhooks/" + of.ID })},
	{"P9.page.deliveries", direct(func(*crowd, *subscribers.Endpoint, int) string { return "/deliveries" })},
	{"P9.page.deliveries.webhook", direct(func(_ *crowd, of *subscribers.Endpoint, _ int) string {
		return "/webhooks/" + of.ID + "/deliveries"
	})},
	{"P9.page.deliveries.dead", direct(func(*crowd, *subscribers.Endpoint, int) string { return "/deliveries?status=dead" })},
	{"P9.page.delivery", direct(func(c *crowd, of *subscribers.Endpoint, event int) string {
		return "/deliveries/" + c.eventID(event) + "." + of.ID
	})},
	{"P9.page.events", direct(func(*crowd, *subscribers.Endpoint, int) string { return "/events" })},
	{"P9.page.event", direct(func(*crowd, *subscribers.Endpoint, int) string { return "/events/items.updated" })},
	{"P9.page.feed", direct(func(*crowd, *subscribers.Endpoint, int) string { return "/feed" })},
	{"P9.page.feed.webhook", direct(func(_ *crowd, of *subscribers.Endpoint, _ int) string { return "/feed?webhook=" + of.ID })},
	{"P9.page.audit", direct(func(*crowd, *subscribers.Endpoint, int) string { return "/audit" })},
}

// measurePages prints P9.page: how long the pages of the dashboard take with a million events
// and ten thousand endpoints, by how long they take with a thousand and ten, and whether they
// keep to their budget.
func measurePages(l *lab) error {
	many, few, err := l.crowds()
	if err != nil {
		return err
	}
	for _, one := range pages {
		got, err := compareLooks(&one, (*crowd).page, many, few)
		if err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
		kept := "kept"
		if got.many/1000 > pageBudget {
			kept = "MISSED"
		}
		fmt.Printf("%s %.2f (%.1f ms with many, %.1f ms with few; %.1f and %.1f ms the first time; the budget of %.0f ms is %s; a page of %d and %d bytes)\n",
			one.name, got.many/got.few, got.many/1000, got.few/1000, got.firstMany/1000, got.firstFew/1000, pageBudget, kept, got.bytesMany, got.bytesFew)
	}
	return nil
}

// anybody is a gate that believes what a request says.
type anybody struct{}

// Person implements [dashboard.Gate].
func (anybody) Person(r *http.Request) (dashboard.Person, error) {
	return dashboard.Person{Tenant: r.Header.Get("Tenant"), Name: "bench", SteppedUp: true}, nil
}

// StepUp implements [dashboard.Gate].
func (anybody) StepUp(back string) string { return back }

// Pages implements [dashboard.Gate].
func (anybody) Pages() http.Handler { return nil }
