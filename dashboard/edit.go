// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"crypto/rand"
	"errors"
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
)

// showNew shows the form of a new webhook. Its key is shown when it is made.
func showNew(v *visit) error {
	if err := v.secret("/webhooks/new"); err != nil {
		return err
	}
	f := newForm(v.options.API.Terms())
	f.Key = rand.Text()
	if chosen := v.r.URL.Query().Get("type"); chosen != "" {
		f.Events = chosen
	}
	types, err := v.api.types()
	if err != nil {
		return err
	}
	if f.Events != "" && !listedPatterns(types)[f.Events] {
		f.Events = ""
	}
	return v.showForm(http.StatusOK, v.formPage(f, nil, types, nil))
}

// postNew takes the form of a new webhook.
func postNew(v *visit) error {
	f := readForm(v.r.PostForm)
	switch blank := newForm(v.options.API.Terms()); {
	case f.action == "close" && f.differs(blank):
		return v.abandon(f, nil)
	case f.action == "close", f.action == "abandon":
		return v.leave("/")
	case f.stays():
		return v.again(f, nil)
	}
	if !v.person.SteppedUp {
		return v.confirmFirst(f, nil)
	}
	members, wrong := f.members(v.options.API.Terms())
	if f.Begin != "" {
		members["begin"] = f.begin()
	}
	if len(wrong) > 0 {
		return v.refuse(f, nil, wrong, nil)
	}
	q := post("endpoints")
	q.members, q.key = members, f.Key
	done, err := ask[callbacks.EndpointView](&v.api, q)
	if err != nil {
		return v.notSaved(f, nil, err)
	}
	return v.showKey(http.StatusCreated, keyPage{Name: nameOf(&done.Body), ID: done.Body.ID, Made: true, Secret: done.Body.Secret, Cursor: done.Body.Cursor, Verification: viewVerification(done.Body.Verification)})
}

// stays reports whether what was pressed leaves the form open. Enter presses a button of its
// own, which finds events if another text is looked for than the page shows.
func (f *form) stays() bool {
	switch f.action {
	case "find", "check-filter", "reset-authentication", "keep-authentication", "back":
		return true
	case "enter":
		return f.Find != f.Found
	}
	return false
}

// editing returns the webhook that is edited, and the form of how it is.
func (v *visit) editing() (e callbacks.Done[callbacks.EndpointView], is form, types []callbacks.TypeView, err error) {
	if e, err = v.api.endpoint(v.r.PathValue("id")); err != nil {
		return e, is, nil, err
	}
	if types, err = v.api.types(); err != nil {
		return e, is, nil, err
	}
	is = formOf(&e.Body, v.options.API.Terms(), listedPatterns(types))
	is.ETag = e.ETag
	return e, is, types, nil
}

// showEdit shows the form of a webhook.
func showEdit(v *visit) error {
	e, is, types, err := v.editing()
	if err != nil {
		return err
	}
	return v.showForm(http.StatusOK, v.formPage(is, &e.Body, types, nil))
}

// postEdit takes the form of a webhook.
func postEdit(v *visit) error {
	e, is, _, err := v.editing()
	if err != nil {
		return err
	}
	f := readForm(v.r.PostForm)
	if !f.Resetting {
		f.Authentication = authKeep
	}
	switch {
	case f.action == "close" && f.differs(is):
		return v.abandon(f, &e.Body)
	case f.action == "close", f.action == "abandon":
		return v.leave(at(e.Body.ID, ""))
	case f.stays():
		return v.again(f, &e.Body)
	}
	signs := is.Signature == signNone && f.Signature != signNone || f.Signature == signOwn
	if (f.Resetting || signs) && !v.person.SteppedUp {
		return v.confirmFirst(f, &e.Body)
	}
	return v.save(f, is, &e.Body)
}

// save saves what was changed, if nobody else has changed it meanwhile.
func (v *visit) save(f, is form, e *callbacks.EndpointView) error {
	terms := v.options.API.Terms()
	members, wrong := f.members(terms)
	if len(wrong) > 0 {
		return v.refuse(f, e, wrong, nil)
	}
	was, _ := is.members(terms)
	q := request{method: http.MethodPatch, path: []string{"endpoints", e.ID}, members: changes(members, was), etag: f.ETag}
	if len(q.members) == 0 {
		return v.leave(at(e.ID, ""))
	}
	done, err := ask[callbacks.EndpointView](&v.api, q)
	if err != nil {
		return v.notSaved(f, e, err)
	}
	if done.Body.Secret != "" {
		return v.showKey(http.StatusOK, keyPage{Name: nameOf(&done.Body), ID: e.ID, Secret: done.Body.Secret, Verification: viewVerification(done.Body.Verification)})
	}
	return v.leave(at(e.ID, "") + "?done=saved")
}

// notSaved shows a form again that the API has refused, or fails.
func (v *visit) notSaved(f form, e *callbacks.EndpointView, err error) error {
	var p *callbacks.Problem
	if !errors.As(err, &p) {
		return err
	}
	switch p.Status {
	case http.StatusPreconditionFailed:
		return v.refuse(f, e, fieldErrors{"": errChanged.Text + " " + errChanged.Remedy}, p)
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusConflict, http.StatusTooManyRequests, http.StatusGone, http.StatusRequestEntityTooLarge:
		return v.refuse(f, e, errorsOf(p, &f), p)
	}
	return err
}

// confirmFirst shows a form again whose sender must show first that it is still them. The
// page for that opens beside it, so that nothing is lost.
func (v *visit) confirmFirst(f form, e *callbacks.EndpointView) error {
	types, err := v.api.types()
	if err != nil {
		return err
	}
	f.Found = f.Find
	p := v.formPage(f, e, types, fieldErrors{"": "Some time has passed: confirm that it is still you, and save again."})
	p.StepUp = v.options.Gate.StepUp("/")
	return v.showForm(http.StatusForbidden, p)
}

// abandonPage asks whether changes are to be given up.
type abandonPage struct {
	// Action is where the form goes.
	Action string
	Name   string
	// Sent are the fields of the form, to go on with it; secrets are not among them.
	Sent []field
}

// field is a field of a form that is kept.
type field struct{ Name, Value string }

// kept are the fields that go on when somebody goes on editing.
var kept = []string{
	"label", "url", "events", "others", "authentication", "username", "header", "signature", "scheme", "payload", "fields", "data", "source", "link", "binary",
	"previous", "order", "rate", "filter", "headers", "begin", "begins_at", "etag", "key", "resetting",
}

// abandon asks whether changes are to be given up.
func (v *visit) abandon(f form, e *callbacks.EndpointView) error {
	p := abandonPage{Action: v.r.URL.EscapedPath(), Name: f.Label}
	if e != nil {
		p.Name = nameOf(e)
	}
	for _, name := range kept {
		for _, value := range v.r.PostForm[name] {
			p.Sent = append(p.Sent, field{name, value})
		}
	}
	return v.show(http.StatusOK, View{Name: "abandon", Title: "Abandon changes?", Section: "webhooks", Data: p})
}

// deletePage asks whether a webhook is to be deleted.
type deletePage struct {
	Is      callbacks.EndpointView
	Name    string
	Waiting bool
	ETag    string
}

// askDelete asks whether a webhook is to be deleted.
func askDelete(v *visit) error {
	done, err := v.api.endpoint(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	waiting, _, err := v.deliveries(get("endpoints", done.Body.ID, "deliveries").with("limit", "1", "status", "pending"))
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, View{Name: "delete", Title: "Delete " + nameOf(&done.Body) + "?", Section: "webhooks", Data: deletePage{
		Is: done.Body, Name: nameOf(&done.Body), Waiting: len(waiting) > 0, ETag: done.ETag,
	}})
}

// deleteWebhook deletes a webhook, or pauses it instead.
func deleteWebhook(v *visit) error {
	id := v.r.PathValue("id")
	if v.r.PostForm.Get("action") == "pause" {
		return v.doing(post("endpoints", id, "pause"), "paused")
	}
	q := request{method: http.MethodDelete, path: []string{"endpoints", id}, etag: v.r.PostForm.Get("etag")}
	if _, err := ask[struct{}](&v.api, q); err != nil {
		return err
	}
	return v.leave("/?done=deleted")
}
