// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/catalogue"
	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// Simulated is an event that a caller has made up, on its way to the caller's endpoints.
type Simulated struct {
	Event      string         `json:"event"`
	WebhookID  string         `json:"webhook_id"`
	Type       string         `json:"type"`
	Deliveries []DeliveryView `json:"deliveries"`
}

// echoType sends the body as an event of a type to the endpoints that ask for it.
func echoType(c *call) (*answer, error) {
	values, err := parameters(c.r, "wait")
	if err != nil {
		return nil, err
	}
	of, err := c.typeNamed()
	if err != nil {
		return nil, err
	}
	return c.echo(&of, values.Get("wait"))
}

// echo sends the request's body as an event of a type: to all of the caller's endpoints
// that ask for it, signed and recorded as any other, and marked as one that has not
// happened. Filters do not hold for it: who made it up has asked for it.
func (c *call) echo(of *catalogue.Type, wait string) (*answer, error) {
	content, err := body(c.w, c.r, true, typeJSON)
	if err != nil {
		return nil, err
	}
	if err := c.fits(of, content.text); err != nil {
		return nil, err
	}
	name := of.Render(content.text)
	to, err := c.asking(name)
	if err != nil {
		return nil, err
	}
	if len(to) == 0 {
		return nil, notFound.problem("none of your endpoints that have a URL asks for %s", name)
	}
	return c.simulate("type.echo", name, name, content.text, to, wait)
}

// fits checks what somebody has written by the schema of a type.
func (c *call) fits(of *catalogue.Type, text []byte) error {
	_, strict, err := c.schemas(of)
	if err != nil {
		return err
	}
	compiled, err := catalogue.Compile(strict)
	if err != nil {
		return err
	}
	var wrong []FieldProblem
	for _, misfit := range compiled.Check(text) {
		wrong = append(wrong, FieldProblem{misfit.Pointer, misfit.Detail, "see the schema of " + of.Name})
	}
	if len(wrong) == 0 {
		return nil
	}
	p := misfits.in(wrong...)
	// The names are those of the payload, whatever an endpoint's members are called.
	p.Detail, p.theirs = "it is no payload of "+of.Name, true
	return p
}

// asking returns the caller's endpoints that have a URL and ask for a type.
func (c *call) asking(name string) (to []string, err error) {
	page := queue.Page{Limit: queue.MaxLimit}
	for {
		endpoints, next, err := c.book.Of(c.r.Context(), c.caller.Tenant, page)
		if err != nil {
			return nil, err
		}
		for i := range endpoints {
			if e := &endpoints[i]; e.URL != "" && wants(e, name) {
				to = append(to, e.ID)
			}
		}
		if page.Cursor = next; next == "" {
			return to, nil
		}
	}
}

// sample sends a sample of a type to one endpoint, whether or not it asks for the type.
func (c *call) sample(e *subscribers.Endpoint, name, wait string) (*answer, error) {
	types, err := c.types()
	if err != nil {
		return nil, err
	}
	of, found := types.Find(name)
	if !found {
		return nil, invalid.in(FieldProblem{"/type", "there is no such type of event", "say one of those of GET /types"})
	}
	v, err := c.viewType(&of)
	if err != nil {
		return nil, err
	}
	if v.Sample == nil {
		return nil, invalid.in(FieldProblem{"/type", "there is no sample of it, as none of its events was seen yet", "send a payload of your own, with POST /types/" + of.Name + "/echo"})
	}
	return c.simulate("endpoint.test", e.ID, of.Render(v.Sample), v.Sample, []string{e.ID}, wait)
}

// testOf is the name that begins the ids of the objects that events are of which somebody
// made up: each has an object of its own, which is none of the API's.
const testOf = "test_"

// simulate commits an event that has not happened, and answers with its deliveries.
func (c *call) simulate(action, object, name string, payload json.RawMessage, to []string, waitText string) (*answer, error) {
	_, wait, err := feedLimits("", waitText)
	if err != nil {
		return nil, err
	}
	if pause := c.limits.simulate(c.caller.Tenant, len(to), c.now); pause > 0 {
		return nil, tooMany.retry(pause, "wait before the next test of a receiver")
	}
	key := event.Key{Resource: emitter.OperationalResource, ID: testOf + strings.ToLower(rand.Text())}
	e := event.Event{
		ID: event.ID(c.store.Instance().ID, key, 1, name, nil), Type: name, Key: key, Sequence: 1, Op: event.OpTest, Time: c.now.UTC(),
		Tenant: c.caller.Tenant, ContentType: typeJSON, Payload: payload,
	}
	// What is noted may not have been done; the other way round, nobody would know.
	audited, err := c.audit(action, object, nil)
	if err != nil {
		return nil, err
	}
	if _, err := c.store.Change(c.r.Context(), audited); err != nil {
		return nil, err
	}
	if err := c.store.Announce(c.r.Context(), e, to); err != nil {
		return nil, err
	}
	made := Simulated{Event: e.ID, WebhookID: e.DeliveryID(), Type: name}
	if made.Deliveries, err = c.attempted(e.ID, to, wait); err != nil {
		return nil, err
	}
	return &answer{status: http.StatusAccepted, body: made}, nil
}

// lookEvery is how often it is looked whether attempts were made.
const lookEvery = 250 * time.Millisecond

// attempted returns the deliveries of an event that was just committed: at once, or when
// each was attempted, or after the wait.
func (c *call) attempted(eventID string, to []string, wait time.Duration) ([]DeliveryView, error) {
	if wait <= 0 {
		return c.deliveriesOf(eventID, to)
	}
	leave, err := c.limits.waits(c.caller.Tenant)
	if err != nil {
		// It is sent, and who cannot wait can look.
		return c.deliveriesOf(eventID, to)
	}
	defer leave()
	ctx, cancel := c.patience(wait)
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		views, err := c.deliveriesOf(eventID, to)
		waits := slices.ContainsFunc(views, func(v DeliveryView) bool { return v.Status == queue.StatusPending && len(v.Attempts) == 0 })
		if err != nil || !waits {
			return views, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return views, nil
		}
	}
}

// deliveriesOf returns the deliveries of an event to endpoints that the caller may name.
func (c *call) deliveriesOf(eventID string, to []string) ([]DeliveryView, error) {
	views, ctx := []DeliveryView{}, c.r.Context()
	rows, err := c.store.DeliveriesOf(ctx, eventID, to...)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		row, err := c.viewDelivery(ctx, &rows[i])
		if err != nil {
			return nil, err
		}
		views = append(views, row)
	}
	return views, nil
}

// toOwn returns the deliveries of an event to the caller's endpoints. What others have is
// not looked at, neither the operator's nor what was deleted.
func (c *call) toOwn(eventID string) ([]queue.Delivery, error) {
	own, err := c.book.IDs(c.r.Context(), c.caller.Tenant)
	if err != nil {
		return nil, err
	}
	return c.store.DeliveriesOf(c.r.Context(), eventID, own...)
}
