// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"errors"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// why says what became of an event at an endpoint.
type why struct {
	// Verdict is one of delivered, pending, paused, dead, superseded, cancelled,
	// expired, type, older, and unrouted.
	Verdict string `json:"verdict"`
	Detail  string `json:"detail"`
	Remedy  string `json:"remedy,omitempty"`
	// Delivery names the delivery, if there is one.
	Delivery string `json:"delivery,omitempty"`
}

// showWhy answers why an event was sent to an endpoint, or not.
func showWhy(c *call) (*answer, error) {
	values, err := parameters(c.r, "endpoint", "event")
	if err != nil {
		return nil, err
	}
	var missing []FieldProblem
	for _, name := range []string{"endpoint", "event"} {
		if values.Get(name) == "" {
			missing = append(missing, FieldProblem{"?" + name, "it is missing", "say which " + name + " is meant"})
		}
	}
	if len(missing) > 0 {
		return nil, malformed.in(missing...)
	}
	e, err := c.book.Get(c.r.Context(), c.caller.Tenant, values.Get("endpoint"))
	if err != nil {
		return nil, err
	}
	of, err := c.event(values.Get("event"))
	if err != nil {
		return nil, err
	}
	d, err := c.deliveryOf(of.ID, e.ID)
	if errors.Is(err, queue.ErrNotFound) {
		return ok(whyNot(&e, of))
	}
	if err != nil {
		return nil, err
	}
	found := whyDelivery(&e, d.Status)
	if d.Status == queue.StatusDead {
		if found, err = c.whyDead(d, found); err != nil {
			return nil, err
		}
	}
	found.Delivery = deliveryID(d.EventID, d.Endpoint)
	return ok(found)
}

// whyNot says why an event was never meant for an endpoint.
func whyNot(e *subscribers.Endpoint, of *event.Event) why {
	switch {
	case of.Time.Before(e.Created):
		return why{Verdict: "older", Detail: "the event is older than the endpoint", Remedy: "replay it"}
	case !wants(e, of.Type):
		return why{Verdict: "type", Detail: "the endpoint does not ask for " + of.Type, Remedy: "add the type to its events, and replay it"}
	}
	return why{Verdict: "unrouted", Detail: "the endpoint was not meant for it when it was made; it has been changed since then", Remedy: "replay it"}
}

// whyDelivery says how a delivery stands.
func whyDelivery(e *subscribers.Endpoint, status queue.Status) why {
	switch status {
	case queue.StatusDelivered:
		return why{Verdict: "delivered", Detail: "the receiver has answered with success"}
	case queue.StatusSuperseded:
		return why{Verdict: "superseded", Detail: "a newer event of the object was sent in its place"}
	case queue.StatusCancelled:
		return why{Verdict: "cancelled", Detail: "somebody has decided that it is not to be sent", Remedy: "resend it"}
	case queue.StatusDead:
		return why{Verdict: "dead", Detail: "all attempts have failed", Remedy: "see its attempts, mend the receiver, and resend it"}
	}
	if e.Status == subscribers.Paused {
		return why{Verdict: "paused", Detail: "the endpoint is paused, and what is for it waits", Remedy: "resume it"}
	}
	return why{Verdict: "pending", Detail: "it is tried, or waits for its turn"}
}

// whyDead tells a delivery that was given up without an attempt from one that failed.
func (c *call) whyDead(d *queue.Delivery, found why) (why, error) {
	last, _, err := c.store.Attempts(c.r.Context(), queue.Filter{EventID: d.EventID, Endpoint: d.Endpoint}, queue.Page{Limit: 1})
	if err != nil {
		return found, err
	}
	if len(last) == 0 {
		return why{Verdict: "expired", Detail: "it has waited for too long", Remedy: "resend it"}, nil
	}
	if text, notSent := strings.CutPrefix(last[0].Error, "not sent: "); notSent {
		return why{Verdict: "expired", Detail: text}, nil
	}
	return found, nil
}
