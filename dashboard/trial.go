// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
)

// trialPage sends tests to a receiver, and shows what came of one.
type trialPage struct {
	ID, Name string
	// Types are those of which a sample can be sent.
	Types []option
	// Result is what came of the test, nil before one was sent.
	Result *exchangeView
	// Delivery is that of a sample, "" for a plain test.
	Delivery string
	Errors   fieldErrors
}

// trialWait is how long a page waits for the attempt of a sample.
const trialWait = "10s"

// trial returns the page for tests of a webhook.
func (v *visit) trial(e *callbacks.EndpointView, chosen string) (trialPage, error) {
	p := trialPage{ID: e.ID, Name: nameOf(e)}
	types, err := v.api.types()
	if err != nil {
		return p, err
	}
	for i := range types {
		if len(types[i].Sample) > 0 {
			p.Types = append(p.Types, option{Value: types[i].Name, Text: types[i].Name, Chosen: types[i].Name == chosen})
		}
	}
	return p, nil
}

// askTest asks what is to be sent.
func askTest(v *visit) error {
	done, err := v.api.endpoint(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	p, err := v.trial(&done.Body, v.r.URL.Query().Get("type"))
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, View{Name: "trial", Title: "Test " + p.Name, Section: "webhooks", Data: p})
}

// sendTest sends a test, or a sample of a type, and shows what came back.
func sendTest(v *visit) error {
	done, err := v.api.endpoint(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	name := v.r.PostForm.Get("type")
	p, err := v.trial(&done.Body, name)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if err := v.try(&p, name); err != nil {
		problem := asProblem(err)
		if problem == nil || problem.Status == http.StatusNotFound {
			return err
		}
		status, p.Errors = problem.Status, errorsOf(problem, new(form))
	}
	return v.show(status, View{Name: "trial", Title: "Test " + p.Name, Section: "webhooks", Data: p})
}

// try sends what was chosen.
func (v *visit) try(p *trialPage, name string) error {
	q := post("endpoints", p.ID, "test")
	if name == "" {
		done, err := ask[*callbacks.Verification](&v.api, q)
		p.Result = viewVerification(done.Body)
		return err
	}
	q = q.with("wait", trialWait)
	q.members = map[string]any{"type": name}
	done, err := ask[callbacks.Simulated](&v.api, q)
	if err != nil || len(done.Body.Deliveries) == 0 {
		return err
	}
	d := &done.Body.Deliveries[0]
	p.Delivery = d.ID
	p.Result = &exchangeView{State: stateOf(deliveryStates, string(d.Status))}
	if len(d.Attempts) > 0 {
		p.Result = viewAttempt(&d.Attempts[0]).exchangeView
	}
	if sent, err := ask[callbacks.ComposedView](&v.api, get("deliveries", d.ID, "request")); err == nil {
		p.Result.setSent(&sent.Body.Request, bodyOf(sent.Body.Request.Body, sent.Body.BodyBase64))
	}
	return nil
}
