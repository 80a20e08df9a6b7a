// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"net/http"
	"net/url"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/verbs"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// CountedView is how many deliveries a verb means; with AtLeast there may be more.
type CountedView struct {
	Count   int  `json:"count"`
	AtLeast bool `json:"at_least,omitempty"`
}

// ActedView is how many deliveries a verb has changed. Next is the cursor with which the
// request goes on, absent at the end.
type ActedView struct {
	Changed int    `json:"changed"`
	Next    string `json:"next,omitempty"`
}

func countRecover(c *call) (*answer, error) { return c.count(verbs.Recover) }
func countReplay(c *call) (*answer, error)  { return c.count(verbs.Replay) }
func doRecover(c *call) (*answer, error)    { return c.act("recover", verbs.Recover) }
func doReplay(c *call) (*answer, error)     { return c.act("replay", verbs.Replay) }

// meant reads which deliveries of an endpoint a verb means: those since a time, which
// must be said, or one event.
func (c *call) meant(verb verbs.Verb, values url.Values) (queue.Selection, error) {
	e, err := c.endpoint()
	if err != nil {
		return queue.Selection{}, err
	}
	selection, err := c.selection(values)
	if err != nil {
		return selection, err
	}
	if selection.From.IsZero() && selection.EventID == "" {
		return selection, malformed.in(FieldProblem{"?since", "it is missing", "say since when, as since=6h"})
	}
	selection.Endpoint, selection.Tenant = e.ID, c.caller.Tenant
	selection.Permit = c.permit(&e, len(selection.Types) > 0)
	if verb.Narrow != nil {
		verb.Narrow(&selection)
	}
	return selection, nil
}

// permit says which events an endpoint may have: those that its tenant may see and, of
// those that never were for it, the types that it asks for or that were named.
func (c *call) permit(e *subscribers.Endpoint, named bool) queue.Permit {
	filter, err := event.ParseFilter(e.Events...)
	return func(_ string, of *event.Event, _ bool) bool {
		return err == nil && of.VisibleTo(c.caller.Tenant) && (named || filter.Match(of.Type))
	}
}

// count answers how many deliveries a verb means, and does nothing.
func (c *call) count(verb verbs.Verb) (*answer, error) {
	values, err := parameters(c.r, "since", "until", "type", "object", "event")
	if err != nil {
		return nil, err
	}
	selection, err := c.meant(verb, values)
	if err != nil {
		return nil, err
	}
	counted, err := verb.Count(c.r.Context(), c.store, selection)
	if err != nil {
		return nil, err
	}
	return ok(CountedView(counted))
}

// act has a verb act on a page of deliveries.
func (c *call) act(action string, verb verbs.Verb) (*answer, error) {
	values, err := parameters(c.r, "since", "until", "type", "object", "event", "cursor", "limit")
	if err != nil {
		return nil, err
	}
	selection, err := c.meant(verb, values)
	if err != nil {
		return nil, err
	}
	page, err := pageOf(values, queue.MaxLimit)
	if err != nil {
		return nil, err
	}
	return c.acts("endpoint."+action, selection.Endpoint, verb, selection, page)
}

// acts notes what is done, and does it. That is not one step, so what is noted may not
// have been done; the other way round, nobody would know.
func (c *call) acts(action, object string, verb verbs.Verb, selection queue.Selection, page queue.Page) (*answer, error) {
	audited, err := c.audit(action, object, nil)
	if err != nil {
		return nil, err
	}
	if _, err := c.store.Change(c.r.Context(), audited); err != nil {
		return nil, err
	}
	changed, next, err := verb.Act(c.r.Context(), c.store, selection, page)
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusAccepted, body: ActedView{changed, string(next)}}, nil
}

// resendDelivery has one delivery attempted again.
func resendDelivery(c *call) (*answer, error) {
	if _, err := parameters(c.r); err != nil {
		return nil, err
	}
	d, err := c.delivery()
	if err != nil {
		return nil, err
	}
	selection := queue.Selection{EventID: d.EventID, Endpoint: d.Endpoint, Permit: func(_ string, of *event.Event, _ bool) bool {
		return of.VisibleTo(c.caller.Tenant)
	}}
	return c.acts("delivery.resend", deliveryID(d.EventID, d.Endpoint), verbs.Resend, selection, queue.Page{})
}

// resendObject sends the last event of an object again that the path names: to the
// caller's own endpoints, and to the receiver that a request has named for the object.
// Other people's endpoints, and the operator's, are none of the caller's business.
func resendObject(c *call) (*answer, error) {
	if _, err := parameters(c.r); err != nil {
		return nil, err
	}
	key, receiver, err := c.options.Object(c.shaped.object, c.r.PathValue)
	if err != nil {
		return nil, queue.ErrNotFound // no object can be called so
	}
	of, err := c.store.LastEvent(c.r.Context(), c.caller.Tenant, key)
	if err != nil {
		return nil, err
	}
	last := of.ID
	mine, err := c.mine(last)
	if err != nil {
		return nil, err
	}
	selection := queue.Selection{EventID: last, Permit: func(endpoint string, of *event.Event, _ bool) bool {
		return of.VisibleTo(c.caller.Tenant) && (mine[endpoint] || receiver != "" && endpoint == receiver)
	}}
	return c.acts("object.resend", key.String(), verbs.Resend, selection, queue.Page{})
}

// mine returns which endpoints that an event was meant for are the caller's own.
func (c *call) mine(eventID string) (map[string]bool, error) {
	rows, err := c.toOwn(eventID)
	if err != nil {
		return nil, err
	}
	own := make(map[string]bool)
	for i := range rows {
		own[rows[i].Endpoint] = true
	}
	return own, nil
}
