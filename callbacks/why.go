// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// Why says what became of an event at an endpoint.
type Why struct {
	// Verdict is one of delivered, pending, paused, dead, superseded, cancelled,
	// expired, filtered, type, older, feed, snapshot, and unrouted.
	Verdict string `json:"verdict"`
	Detail  string `json:"detail"`
	Remedy  string `json:"remedy,omitempty"`
	// Delivery names the delivery, if there is one.
	Delivery string `json:"delivery,omitempty"`
	// Filter is the endpoint's present filter, if one left the event out.
	Filter string `json:"filter,omitempty"`
}

// showWhy answers why an event was sent to an endpoint, or not; or of an object, why each of
// its last events was.
func showWhy(c *call) (*answer, error) {
	values, err := parameters(c.r, "endpoint", "event", "object", "cursor", "limit")
	if err != nil {
		return nil, err
	}
	ofObject := values.Has("object")
	var wrong []FieldProblem
	if values.Get("endpoint") == "" {
		wrong = append(wrong, FieldProblem{"?endpoint", "it is missing", "say which endpoint is meant"})
	}
	switch {
	case !ofObject && !values.Has("event"):
		wrong = append(wrong, FieldProblem{"?event", "it is missing", "say which event is meant, or with `object` of which object the last ones"})
	case ofObject && values.Has("event"):
		wrong = append(wrong, FieldProblem{"?object", "there is an event, too", "leave one of them out"})
	}
	for _, name := range []string{"cursor", "limit"} {
		if !ofObject && values.Has(name) {
			wrong = append(wrong, FieldProblem{"?" + name, "it is about one event", "leave it out"})
		}
	}
	if len(wrong) > 0 {
		return nil, malformed.in(wrong...)
	}
	e, err := c.book.Get(c.r.Context(), c.caller.Tenant, values.Get("endpoint"))
	if err != nil {
		return nil, err
	}
	if ofObject {
		return c.whyEach(&e, values)
	}
	of, err := c.event(values.Get("event"))
	if err != nil {
		return nil, err
	}
	found, err := c.why(&e, of)
	if err != nil {
		return nil, err
	}
	return ok(found)
}

// whyOf is what became of one of an object's events.
type whyOf struct {
	listedEvent
	Why
}

// whyLimit is how many events of an object are told of where nothing else is said, and
// maxWhy the most: each is looked up by itself.
const (
	whyLimit = 20
	maxWhy   = 100
)

// whyEach answers what became of the last events of an object, newest first: which came,
// which did not, and why. Of an object that is not the caller's, there are none.
func (c *call) whyEach(e *subscribers.Endpoint, values url.Values) (*answer, error) {
	page, err := pageOf(values, maxWhy)
	if err != nil {
		return nil, err
	}
	if !values.Has("limit") {
		page.Limit = whyLimit
	}
	wanted, err := c.selection(url.Values{"object": values["object"]})
	if err != nil {
		return nil, err
	}
	rows, next, err := c.store.EventsOf(c.r.Context(), c.caller.Tenant, queue.Filter{Key: wanted.Key}, page)
	if err != nil {
		return nil, err
	}
	answer := List[whyOf]{Data: make([]whyOf, len(rows)), Next: string(next)}
	for i := range rows {
		of := rows[i].For(c.caller.Tenant)
		answer.Data[i].listedEvent = viewListed(of)
		if answer.Data[i].Why, err = c.why(e, of); err != nil {
			return nil, err
		}
	}
	return ok(answer)
}

// why says what became of an event at an endpoint.
func (c *call) why(e *subscribers.Endpoint, of *event.Event) (Why, error) {
	d, err := c.deliveryOf(of.ID, e.ID)
	if errors.Is(err, queue.ErrNotFound) {
		filtered, err := c.store.WasFiltered(c.r.Context(), e.ID, of.ID)
		if err != nil || !filtered {
			return whyNot(e, of), err
		}
		return Why{Verdict: "filtered", Detail: "the filter that the endpoint had when the event was made leaves it out", Filter: e.Filter, Remedy: "change the filter, and replay it"}, nil
	}
	if err != nil {
		return Why{}, err
	}
	found := whyDelivery(e, d.Status)
	if d.Status == queue.StatusDead {
		if found, err = c.whyDead(d, found); err != nil {
			return found, err
		}
	}
	found.Delivery = deliveryID(d.EventID, d.Endpoint)
	return found, nil
}

// FilteredView is an event that a filter left out.
type FilteredView struct {
	ID       string    `json:"id"`
	Type     string    `json:"type"`
	Object   string    `json:"object"`
	Sequence uint64    `json:"sequence"`
	Time     time.Time `json:"time"`
}

// FilteredList is a page of what a filter left out. Count is of all, as far as they are
// counted.
type FilteredList struct {
	List[FilteredView]
	Count int `json:"count"`
}

// listFiltered lists the events that an endpoint did not get because of its filter: one
// that is wrong is a loss to whoever wrote it.
func listFiltered(c *call) (*answer, error) {
	values, err := parameters(c.r, "cursor", "limit")
	if err != nil {
		return nil, err
	}
	e, err := c.endpoint()
	if err != nil {
		return nil, err
	}
	page, err := pageOf(values, maxPage)
	if err != nil {
		return nil, err
	}
	events, next, err := c.store.Filtered(c.r.Context(), e.ID, page)
	if err != nil {
		return nil, err
	}
	answer := FilteredList{List: List[FilteredView]{Data: make([]FilteredView, 0, len(events)), Next: string(next)}}
	for i := range events {
		of := &events[i]
		answer.Data = append(answer.Data, FilteredView{of.ID, of.Type, of.Key.String(), of.Sequence, of.Time})
	}
	if answer.Count = len(events); next != "" || page.Cursor != "" {
		answer.Count, err = c.store.CountFiltered(c.r.Context(), e.ID)
	}
	if err != nil {
		return nil, err
	}
	return ok(answer)
}

// whyNot says why an event was never meant for an endpoint.
func whyNot(e *subscribers.Endpoint, of *event.Event) Why {
	switch {
	case of.Op == event.OpSnapshot:
		return Why{Verdict: "snapshot", Detail: "it was told to another endpoint, which began with a snapshot", Remedy: "begin a snapshot of this one"}
	case of.Time.Before(e.Created):
		return Why{Verdict: "older", Detail: "the event is older than the endpoint", Remedy: "replay it"}
	case !wants(e, of.Type):
		return Why{Verdict: "type", Detail: "the endpoint does not ask for " + of.Type, Remedy: "add the type to its events, and replay it"}
	}
	if e.URL == "" {
		return Why{Verdict: "feed", Detail: "the endpoint has no URL, and is sent nothing", Remedy: "read its feed, where the event stands"}
	}
	return Why{Verdict: "unrouted", Detail: "the endpoint was not meant for it when it was made; it has been changed since then", Remedy: "replay it"}
}

// whyDelivery says how a delivery stands.
func whyDelivery(e *subscribers.Endpoint, status queue.Status) Why {
	switch status {
	case queue.StatusDelivered:
		return Why{Verdict: "delivered", Detail: "the receiver has answered with success"}
	case queue.StatusSuperseded:
		return Why{Verdict: "superseded", Detail: "a newer event of the object was sent in its place"}
	case queue.StatusCancelled:
		return Why{Verdict: "cancelled", Detail: "somebody has decided that it is not to be sent", Remedy: "resend it"}
	case queue.StatusDead:
		return Why{Verdict: "dead", Detail: "all attempts have failed", Remedy: "see its attempts, mend the receiver, and resend it"}
	}
	if e.Status == subscribers.Paused {
		return Why{Verdict: "paused", Detail: "the endpoint is paused, and what is for it waits", Remedy: "resume it"}
	}
	return Why{Verdict: "pending", Detail: "it is tried, or waits for its turn"}
}

// whyDead tells a delivery that was given up without an attempt from one that failed.
func (c *call) whyDead(d *queue.Delivery, found Why) (Why, error) {
	last, _, err := c.store.Attempts(c.r.Context(), queue.Filter{EventID: d.EventID, Endpoint: d.Endpoint}, queue.Page{Limit: 1})
	if err != nil {
		return found, err
	}
	if len(last) == 0 {
		return Why{Verdict: "expired", Detail: "it has waited for too long", Remedy: "resend it"}, nil
	}
	if text, notSent := strings.CutPrefix(last[0].Error, "not sent: "); notSent {
		return Why{Verdict: "expired", Detail: text}, nil
	}
	return found, nil
}
