// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// option is one of several that a field offers.
type option struct {
	Value, Text, Hint string
	Chosen            bool
}

// formPage is the form of a webhook, new or not.
type formPage struct {
	Form form
	// Is is the webhook as it is, nil for a new one.
	Is     *callbacks.EndpointView
	Name   string
	Health state
	// Auth is how deliveries authenticate now, in words.
	Auth   string
	Picker picker
	// Authentications, Schemes, Payloads and Orders are what is offered.
	Authentications, Schemes, Payloads, Orders []option
	// Signs and Unsigned say which of the two is offered, Own that a key may be sent.
	Signs, Unsigned, Own bool
	HasData, HasRate     bool
	Required             map[string]bool
	Verified             bool
	Errors               fieldErrors
	// Summary are the errors with the fields that they lead to.
	Summary []summaryLine
	// Verification is the test that the receiver did not accept.
	Verification *exchangeView
	// Checked is what came of trying the filter.
	Checked *checked
	// StepUp is where somebody shows that it is still them, "" if that is not needed.
	StepUp string
	// Open is true if what most people leave alone is unfolded.
	Open bool
}

// summaryLine is an error that the form begins with.
type summaryLine struct{ Field, Name, Text string }

// schemesOf returns the ways of signing that are offered, as endpoints have them.
func schemesOf(terms callbacks.Terms) []string {
	offered := terms.Offer.Signature
	if len(offered) == 0 {
		offered = []string{subscribers.SignatureStandard, subscribers.SignatureRFC9421, subscribers.SignatureX, subscribers.SignatureNone}
	}
	var all []string
	for _, name := range offered {
		switch name {
		case subscribers.SignatureNone:
		case subscribers.SignatureX:
			all = append(all, name)
			for _, style := range sign.Presets() {
				all = append(all, name+" "+style)
			}
		default:
			all = append(all, name)
		}
	}
	return all
}

// signatureName returns what a way of signing is called.
func signatureName(text string) string {
	scheme, style, styled := strings.Cut(text, " ")
	if !styled {
		return named(signatureNames, scheme)
	}
	return named(signatureNames, scheme) + ", as " + style
}

// optionsOf returns the options of a field.
func optionsOf(offered, all []string, chosen string, text func(string) string) []option {
	if len(offered) == 0 {
		offered = all
	}
	made := make([]option, len(offered))
	for i, value := range offered {
		made[i] = option{Value: value, Text: text(value), Chosen: value == chosen}
	}
	return made
}

func naming(names map[string]string) func(string) string {
	return func(word string) string { return named(names, word) }
}

// formPage returns the page of a form.
func (v *visit) formPage(f form, e *callbacks.EndpointView, types []callbacks.TypeView, wrong fieldErrors) formPage {
	terms := v.options.API.Terms()
	p := formPage{
		Form: f, Is: e, Picker: newPicker(types, split(f.Events), f.Find), Errors: wrong, Verified: terms.Verified,
		Authentications: optionsOf(terms.Offer.Auth, []string{"none", "basic", "bearer", "header"}, f.Authentication, naming(authNames)),
		Schemes:         optionsOf(schemesOf(terms), nil, f.Scheme, signatureName),
		Payloads:        optionsOf(terms.Offer.Payload, []string{"show", "standard", "gateway", "cloudevents", "thin", "fields", "patch", "merge"}, f.Payload, naming(formatNames)),
		Orders:          optionsOf(terms.Offer.Order, []string{"object", "endpoint", "none"}, f.Order, naming(orderNames)),
		Own:             terms.Offer.OwnSecret, HasData: len(terms.Offer.Data) == 0, HasRate: !terms.Offer.NoRate, Required: map[string]bool{},
	}
	for i := range p.Authentications {
		p.Authentications[i].Hint = authHints[p.Authentications[i].Value]
	}
	p.Signs = len(p.Schemes) > 0
	p.Unsigned = len(terms.Offer.Signature) == 0 || slices.Contains(terms.Offer.Signature, subscribers.SignatureNone)
	for _, name := range terms.Require {
		p.Required[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(wrong)) {
		p.Summary = append(p.Summary, summaryLine{name, fieldNames[name], wrong[name]})
		p.Open = p.Open || slices.Contains([]string{"payload", "fields", "data", "filter", "order", "rate", "headers", "begin"}, name)
	}
	if e != nil {
		p.Name, p.Health, p.Auth = nameOf(e), healthOf(e), authNames["none"]
		if e.Auth != nil {
			p.Auth = named(authNames, e.Auth.Scheme)
		}
		p.Open = p.Open || e.Filter != "" || e.Rate != "" || len(e.Headers) > 0
	}
	return p
}

// showForm renders the form.
func (v *visit) showForm(status int, p formPage) error {
	title := "Add Webhook"
	if p.Is != nil {
		title = "Edit Webhook"
	}
	if len(p.Errors) > 0 {
		title = "Not saved: " + title
	}
	return v.show(status, View{Name: "form", Title: title, Section: "webhooks", Data: p})
}

// again shows a form as it was sent, after something that saves nothing.
func (v *visit) again(f form, e *callbacks.EndpointView) error {
	types, err := v.api.types()
	if err != nil {
		return err
	}
	wrong := fieldErrors{}
	var checked *checked
	switch f.action {
	case "check-filter":
		if checked, err = v.check(f.Filter, ""); err != nil {
			return err
		}
	case "reset-authentication":
		f.Resetting, f.Authentication = true, v.firstAuth()
	case "keep-authentication":
		f.Resetting, f.Authentication, f.Username, f.Header = false, authKeep, "", ""
	}
	f.Found = f.Find
	p := v.formPage(f, e, types, wrong)
	p.Checked, p.Open = checked, p.Open || checked != nil
	return v.showForm(http.StatusOK, p)
}

// firstAuth returns the scheme that is offered first.
func (v *visit) firstAuth() string {
	if offered := v.options.API.Terms().Offer.Auth; len(offered) > 0 {
		return offered[0]
	}
	return subscribers.AuthNone
}

// refuse shows a form with what keeps it from being saved.
func (v *visit) refuse(f form, e *callbacks.EndpointView, wrong fieldErrors, p *callbacks.Problem) error {
	types, err := v.api.types()
	if err != nil {
		return err
	}
	f.Found = f.Find
	page := v.formPage(f, e, types, wrong)
	status := http.StatusUnprocessableEntity
	if p != nil {
		status = p.Status
		if p.Verification != nil {
			page.Verification = viewVerification(p.Verification)
		}
	}
	return v.showForm(status, page)
}
