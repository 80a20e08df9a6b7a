// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"net/http"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
)

// attemptView is one attempt of a delivery.
type attemptView struct {
	*exchangeView
	Number int
	At     time.Time
	// Kept is false if nothing is known of what was sent, Incomplete says why not all is, and
	// Keys are those that signed it.
	Kept       bool
	Incomplete string
	Keys       []string
}

// deliveryPage is one delivery: what was sent when, and what came back.
type deliveryPage struct {
	Is    callbacks.DeliveryView
	State state
	// Hook is what its webhook is called.
	Hook     string
	Attempts []attemptView
	// Event is what it tells, nil if that is not kept any more.
	Event *callbacks.EventView
	// Object is the object as it was then; Marked is true if what changed is marked, with so
	// many Changes.
	Object  code
	Marked  bool
	Changes int
	Before  string
	// Sent is what is sent, nil if that cannot be said.
	Sent *exchangeView
	// Why says what became of it, in words.
	Why    callbacks.Why
	Notice string
}

func viewAttempt(a *callbacks.AttemptView) attemptView {
	v := attemptView{exchangeView: &exchangeView{State: attemptRefused, Error: sentence(a.Error)}, Number: a.Number, At: a.At}
	v.setAnswer(a.Response)
	if sent := a.Request; sent != nil {
		v.Kept, v.Incomplete, v.Keys = true, sentence(sent.Incomplete), sent.Keys
		v.setLines(sent.Method, pathOfURL(sent.URL), sent.Host, sent.Headers)
	}
	switch {
	case a.Response == nil:
		v.State = attemptLost
	case a.Response.Status >= 200 && a.Response.Status <= 299 && a.Error == "":
		v.State = attemptAccepted
	}
	return v
}

// showDelivery shows one delivery.
func showDelivery(v *visit) error {
	id := v.r.PathValue("delivery")
	done, err := ask[callbacks.DeliveryView](&v.api, get("deliveries", id))
	if err != nil {
		return err
	}
	d := done.Body
	p := deliveryPage{Is: d, State: stateOf(deliveryStates, string(d.Status)), Notice: v.notice()}
	hook, err := v.api.endpoint(d.Endpoint)
	if err != nil {
		return err
	}
	p.Hook = nameOf(&hook.Body)
	for i := range d.Attempts {
		p.Attempts = append(p.Attempts, viewAttempt(&d.Attempts[i]))
	}
	if err := v.tell(&p); err != nil {
		return err
	}
	return v.show(http.StatusOK, View{Name: "delivery", Title: d.Type + " " + d.Object, Section: "deliveries", Data: p})
}

// tell adds what a delivery is about. What is not kept any more, or not the person's to see,
// is left out.
func (v *visit) tell(p *deliveryPage) error {
	of, err := ask[callbacks.EventView](&v.api, get("events", p.Is.Event))
	if isProblem(err, http.StatusNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	p.Event = &of.Body
	shown, err := ask[callbacks.Raw](&v.api, get("events", p.Is.Event, "payload"))
	if err != nil {
		return err
	}
	before, err := ask[callbacks.Raw](&v.api, get("events", p.Is.Event, "previous"))
	switch {
	case err == nil:
		p.Object, p.Changes = compared(before.Body.Text, shown.Body.Text)
		p.Marked = true
	case isProblem(err, http.StatusNotFound):
		p.Object = codeOf(shown.Body.Text)
	default:
		return err
	}
	sent, err := ask[callbacks.ComposedView](&v.api, get("deliveries", p.Is.ID, "request"))
	switch {
	case err == nil:
		p.Sent = &exchangeView{Curl: copyable(sent.Body.Curl)}
		p.Sent.setSent(&sent.Body.Request, bodyOf(sent.Body.Request.Body, sent.Body.BodyBase64))
	case !isProblem(err, http.StatusUnprocessableEntity) && !isProblem(err, http.StatusNotFound):
		return err
	}
	why, err := ask[callbacks.Why](&v.api, get("why").with("endpoint", p.Is.Endpoint, "event", p.Is.Event))
	p.Why = why.Body
	return err
}

// resendDelivery has a delivery attempted again.
func resendDelivery(v *visit) error {
	id := v.r.PathValue("delivery")
	done, err := ask[callbacks.ActedView](&v.api, post("deliveries", id, "resend"))
	if err != nil {
		return err
	}
	word := "resent"
	if done.Body.Changed == 0 {
		word = "sent"
	}
	return v.leave("/deliveries/" + pathSegment(id) + "?done=" + word)
}
