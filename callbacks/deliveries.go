// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

const (
	// shownAttempts is how many attempts of a delivery are shown, the last ones.
	shownAttempts = 20
	// maxPages is how many pages of a list one request looks through for rows of a time.
	maxPages = 10
)

// DeliveryView is an event on its way to an endpoint.
type DeliveryView struct {
	// ID names the delivery; Event is the event's.
	ID         string        `json:"id"`
	Event      string        `json:"event"`
	Type       string        `json:"type"`
	Object     string        `json:"object"`
	Sequence   uint64        `json:"sequence"`
	Endpoint   string        `json:"endpoint"`
	Status     queue.Status  `json:"status"`
	CreatedAt  time.Time     `json:"created_at"`
	DueAt      time.Time     `json:"due_at,omitzero"`
	FinishedAt time.Time     `json:"finished_at,omitzero"`
	Attempts   []AttemptView `json:"attempts"`
}

// AttemptView is one try of a delivery. Response is absent if none came.
type AttemptView struct {
	Number   int          `json:"number"`
	At       time.Time    `json:"at"`
	Response *GotResponse `json:"response,omitempty"`
	Error    string       `json:"error,omitempty"`
	// Request is what was sent. Lists do not have it, as the event must be read for it.
	Request *RecalledRequest `json:"request,omitempty"`
}

// deliveryID returns the name of a delivery. No id of an event has a dot.
func deliveryID(eventID, endpoint string) string { return eventID + "." + endpoint }

// viewDelivery returns a delivery, with its attempts.
func (c *call) viewDelivery(ctx context.Context, d *queue.Delivery) (DeliveryView, error) {
	attempts, err := c.attemptsOf(ctx, d)
	return viewOfDelivery(d, attempts), err
}

// attemptsOf returns the attempts of a delivery that are shown, the last one first.
func (c *call) attemptsOf(ctx context.Context, d *queue.Delivery) ([]queue.Attempt, error) {
	if d.Attempts == 0 {
		return nil, nil
	}
	attempts, _, err := c.store.Attempts(ctx, queue.Filter{EventID: d.EventID, Endpoint: d.Endpoint}, queue.Page{Limit: shownAttempts})
	return attempts, err
}

func viewOfDelivery(d *queue.Delivery, attempts []queue.Attempt) DeliveryView {
	v := DeliveryView{
		ID: deliveryID(d.EventID, d.Endpoint), Event: d.EventID, Type: d.EventType, Object: d.Key.String(), Sequence: d.Sequence,
		Endpoint: d.Endpoint, Status: d.Status, CreatedAt: d.CreatedAt, DueAt: d.DueAt, FinishedAt: d.FinishedAt, Attempts: []AttemptView{},
	}
	for i := range attempts {
		a := emitter.ForSubscriber(attempts[i])
		v.Attempts = append(v.Attempts, AttemptView{Number: a.Number, At: a.At, Response: gotOf(a.Code, a.Duration, a.Response, shownAnswer), Error: a.Error})
	}
	return v
}

// listDeliveries lists what was sent to an endpoint, and how that went, newest first.
func listDeliveries(c *call) (*answer, error) {
	asked, err := c.deliveriesAsked()
	if err != nil {
		return nil, err
	}
	e, err := c.endpoint()
	if err != nil {
		return nil, err
	}
	return c.listTo(asked, []string{e.ID})
}

// listAllDeliveries lists what was sent to all of the caller's endpoints.
func listAllDeliveries(c *call) (*answer, error) {
	asked, err := c.deliveriesAsked()
	if err != nil {
		return nil, err
	}
	own, err := c.book.IDs(c.r.Context(), c.caller.Tenant)
	if err != nil {
		return nil, err
	}
	return c.listTo(asked, own)
}

// askedDeliveries are those that a request asks for.
type askedDeliveries struct {
	filter   queue.Filter
	from, to time.Time
	page     queue.Page
}

// deliveriesAsked reads which deliveries are to be listed.
func (c *call) deliveriesAsked() (asked askedDeliveries, err error) {
	values, err := parameters(c.r, "status", "type", "object", "since", "until", "cursor", "limit")
	if err != nil {
		return asked, err
	}
	if asked.page, err = pageOf(values, maxPage); err != nil {
		return asked, err
	}
	wanted, err := c.selection(values)
	if err != nil {
		return asked, err
	}
	asked.from, asked.to = wanted.From, wanted.To
	asked.filter = queue.Filter{Type: strings.Join(wanted.Types, ""), Key: wanted.Key, Status: queue.Status(values.Get("status"))}
	switch asked.filter.Status {
	case "", queue.StatusPending, queue.StatusDelivered, queue.StatusDead, queue.StatusSuperseded, queue.StatusCancelled:
		return asked, nil
	}
	return asked, malformed.in(FieldProblem{"?status", "there is no such status", "say pending, delivered, dead, superseded or cancelled"})
}

// listTo answers with a page of the deliveries to endpoints.
func (c *call) listTo(asked askedDeliveries, endpoints []string) (*answer, error) {
	answer := List[DeliveryView]{Data: []DeliveryView{}}
	page := asked.page
	// Those of a time are looked for a bounded number of pages, and no further where the queue
	// has looked at many for one; the answer says where to go on.
	for range maxPages {
		rows, next, err := c.store.DeliveriesTo(c.r.Context(), endpoints, asked.filter, page)
		if err != nil {
			return nil, err
		}
		answer.Next = string(next)
		for i := range rows {
			switch {
			case !asked.to.IsZero() && !rows[i].CreatedAt.Before(asked.to):
				continue
			case !asked.from.IsZero() && rows[i].CreatedAt.Before(asked.from):
				answer.Next = ""
				return ok(answer)
			}
			row, err := c.viewDelivery(c.r.Context(), &rows[i])
			if err != nil {
				return nil, err
			}
			answer.Data = append(answer.Data, row)
		}
		if page.Cursor = next; next == "" || len(answer.Data) > 0 || len(rows) < page.Limit {
			break
		}
	}
	return ok(answer)
}

// noEvent is the id of an event that there never is.
const noEvent = "evt_none"

// selection reads which deliveries are meant, of those that parameters can name.
func (c *call) selection(values url.Values) (queue.Selection, error) {
	var s queue.Selection
	var err error
	if text := values.Get("object"); text != "" {
		if s.Key, err = event.ParseKey(text); err != nil {
			return s, malformed.in(FieldProblem{"?object", "it names no object", "write it as items/42"})
		}
	}
	if text := values.Get("type"); text != "" {
		name, err := c.eventType(text)
		if err != nil {
			return s, err
		}
		s.Types = []string{name}
	}
	if s.EventID = event.IDOf(values.Get("event")); s.EventID != "" {
		// Whoever acts on an event has to read it, be it whose it may: another's is not
		// looked for.
		switch _, err := c.store.EventOf(c.r.Context(), c.caller.Tenant, s.EventID); {
		case errors.Is(err, queue.ErrNotFound):
			s.EventID = noEvent
		case err != nil:
			return s, err
		}
	}
	for name, to := range map[string]*time.Time{"since": &s.From, "until": &s.To} {
		if text := values.Get(name); text != "" {
			if *to, err = timeOf(text, c.now); err != nil {
				return s, malformed.in(FieldProblem{"?" + name, "it is no time", "write it as 2026-03-04T05:06:07Z, or as how long ago it was, as 6h or 2d"})
			}
		}
	}
	return s, nil
}

// timeOf reads a time, or how long ago it was.
func timeOf(text string, now time.Time) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	hours := int64(1)
	if days, isDays := strings.CutSuffix(text, "d"); isDays {
		text, hours = days+"h", 24
	}
	ago, err := time.ParseDuration(text)
	if err != nil || ago < 0 || int64(ago) > int64(maxAgo)/hours {
		return time.Time{}, errors.New("not a time")
	}
	return now.Add(-time.Duration(int64(ago) * hours)), nil
}

// maxAgo limits how long ago a time may be said to be.
const maxAgo = 100 * 365 * 24 * time.Hour

// delivery returns the delivery to one of the caller's endpoints that the path names.
func (c *call) delivery() (*queue.Delivery, error) {
	eventID, name, _ := strings.Cut(c.values["delivery"], ".")
	if _, err := c.book.Get(c.r.Context(), c.caller.Tenant, name); err != nil {
		return nil, err
	}
	// A path may name the endpoint, too.
	if of, err := c.endpointNamed(); err != nil || of != nil && of.ID != name {
		return nil, cmp.Or(err, queue.ErrNotFound)
	}
	return c.deliveryOf(event.IDOf(eventID), name)
}

// deliveryOf returns the delivery of an event to an endpoint.
func (c *call) deliveryOf(eventID, endpoint string) (*queue.Delivery, error) {
	rows, err := c.store.DeliveriesOf(c.r.Context(), eventID, endpoint)
	if err == nil && len(rows) == 0 {
		err = queue.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &rows[0], nil
}

func showDelivery(c *call) (*answer, error) {
	if _, err := parameters(c.r); err != nil {
		return nil, err
	}
	d, err := c.delivery()
	if err != nil {
		return nil, err
	}
	attempts, err := c.attemptsOf(c.r.Context(), d)
	if err != nil {
		return nil, err
	}
	v := viewOfDelivery(d, attempts)
	if err := c.recall(d, attempts, v.Attempts); err != nil {
		return nil, err
	}
	return ok(v)
}

// EventView is an event as its tenant sees it.
type EventView struct {
	ID string `json:"id"`
	// WebhookID is the id that receivers see.
	WebhookID   string          `json:"webhook_id"`
	Type        string          `json:"type"`
	Object      string          `json:"object"`
	Sequence    uint64          `json:"sequence"`
	Op          event.Op        `json:"op"`
	Time        time.Time       `json:"time"`
	Freshness   event.Freshness `json:"freshness,omitempty"`
	ContentType string          `json:"content_type,omitempty"`
	Size        int             `json:"size"`
	// Changed are JSON Pointers to what differs from the state before, absent if it is not
	// known or nothing does.
	Changed    []string       `json:"changed,omitempty"`
	Deliveries []DeliveryView `json:"deliveries"`
}

// event returns the event that the path names, as the caller may see it.
func (c *call) event(id string) (*event.Event, error) {
	e, err := c.store.EventOf(c.r.Context(), c.caller.Tenant, event.IDOf(id))
	if err != nil {
		return nil, err
	}
	return e.For(c.caller.Tenant), nil
}

// showEvent answers with an event, and its deliveries to the caller's endpoints.
func showEvent(c *call) (*answer, error) {
	if _, err := parameters(c.r); err != nil {
		return nil, err
	}
	e, err := c.event(c.values["event"])
	if err != nil {
		return nil, err
	}
	v := EventView{
		ID: e.ID, WebhookID: e.DeliveryID(), Type: e.Type, Object: e.Key.String(), Sequence: e.Sequence, Op: e.Op, Time: e.Time,
		Freshness: e.Freshness, ContentType: e.ContentType, Size: len(e.Payload), Changed: e.Changed,
	}
	own, err := c.book.IDs(c.r.Context(), c.caller.Tenant)
	if err != nil {
		return nil, err
	}
	if v.Deliveries, err = c.deliveriesOf(e.ID, own); err != nil {
		return nil, err
	}
	return ok(v)
}

// showPayload answers with the Show of an event, as it is.
func showPayload(c *call) (*answer, error) {
	if _, err := parameters(c.r); err != nil {
		return nil, err
	}
	e, err := c.event(c.values["event"])
	if err != nil {
		return nil, err
	}
	return asIs(e.Payload, e.ContentType)
}

// showPrevious answers with the state before an event, as far as it was kept and the
// caller may see it.
func showPrevious(c *call) (*answer, error) {
	if _, err := parameters(c.r); err != nil {
		return nil, err
	}
	e, err := c.event(c.values["event"])
	if err != nil {
		return nil, err
	}
	if len(e.PreviousShow) == 0 {
		return nil, notFound.problem("the state before it is not kept, or is not yours to see, or there was none")
	}
	return asIs(e.PreviousShow, e.ContentType)
}

// asIs answers with what the API has shown. That is anything, so no browser is to run it.
func asIs(text []byte, contentType string) (*answer, error) {
	a := &answer{status: http.StatusOK, body: Raw{text, contentType}}
	return a.set("Content-Security-Policy", "sandbox; default-src 'none'").set("Content-Disposition", "attachment"), nil
}

// Raw is a body that is sent as it is.
type Raw struct {
	Text        []byte
	ContentType string
}

// wants reports whether an endpoint asks for a type of event.
func wants(e *subscribers.Endpoint, eventType string) bool {
	filter, err := event.ParseFilter(e.Events...)
	return err == nil && filter.Match(eventType)
}
