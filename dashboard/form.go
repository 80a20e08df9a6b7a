// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"net/url"
	"slices"
	"sort"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// settings are what the form of a webhook says, each as the text that stands in its field.
// Two forms are the same if their settings are.
type settings struct {
	Label, URL string
	// Events are the patterns that are ticked, and Others those that are written, each on a
	// line.
	Events, Others string
	// Authentication is keep, none, basic, bearer or header.
	Authentication   string
	Username, Header string
	// Signature is none, signature-key for one that is made here, or source-key for one that
	// is sent; Scheme is how it signs.
	Signature, Scheme                             string
	Payload, Fields, Data, Source, Link           string
	Binary, Previous                              bool
	Order, Rate, Filter, Headers, Begin, BeginsAt string
}

// form is what was sent, or is to be shown.
type form struct {
	settings
	// credential and sourceKey are secrets: they are taken, and never shown.
	credential, sourceKey string
	// Find is what is looked for in the events, and Found what the page shows.
	Find, Found string
	// ETag is the state that is edited; Key has a repeat of the same form make nothing twice.
	ETag, Key string
	// Resetting is true once the authentication is to be replaced.
	Resetting bool
	action    string
}

const (
	authKeep     = "keep"
	signNone     = "none"
	signMade     = "signature-key"
	signOwn      = "source-key"
	beginNow     = "now"
	beginSince   = "since"
	beginObjects = "snapshot"
)

// readForm reads what was sent. Fields that another choice makes meaningless are ignored.
func readForm(sent url.Values) form {
	text := func(name string) string { return strings.TrimSpace(sent.Get(name)) }
	f := form{
		settings: settings{
			Label: text("label"), URL: text("url"), Events: joined(sent["events"]), Others: lines(sent.Get("others")),
			Authentication: text("authentication"), Signature: text("signature"), Scheme: text("scheme"), Payload: text("payload"),
			Order: text("order"), Rate: text("rate"), Filter: oneLine(sent.Get("filter")), Headers: lines(sent.Get("headers")), Begin: text("begin"),
		},
		Find: text("find"), Found: text("found"), ETag: sent.Get("etag"), Key: sent.Get("key"), Resetting: sent.Get("resetting") == "yes", action: text("action"),
	}
	switch f.Authentication {
	case "basic":
		f.Username, f.credential = text("username"), sent.Get("password")
	case "bearer":
		f.credential = text("token")
	case "header":
		f.Header, f.credential = text("header"), text("value")
	}
	if f.Signature == signOwn {
		f.sourceKey = text("source_key")
	}
	if f.Begin == beginSince {
		f.BeginsAt = text("begins_at")
	}
	switch payload.Kind(f.Payload) {
	case payload.Fields:
		f.Fields = lines(sent.Get("fields"))
	case payload.Standard, payload.Gateway:
		f.Data = lines(sent.Get("data"))
	case payload.CloudEvents:
		f.Source, f.Binary = text("source"), sent.Get("binary") == "yes"
	case payload.Thin:
		f.Link = text("link")
	}
	if mayHavePrevious(f.Payload) {
		f.Previous = sent.Get("previous") == "yes"
	}
	return f
}

// mayHavePrevious reports whether a format can have the state before.
func mayHavePrevious(format string) bool {
	return slices.Contains([]payload.Kind{payload.Standard, payload.Gateway, payload.Fields}, payload.Kind(format))
}

// newForm returns the form of a webhook that is not made yet.
func newForm(terms callbacks.Terms) form {
	f := form{settings: settings{
		Authentication: subscribers.AuthNone, Signature: signMade, Scheme: subscribers.SignatureStandard, Payload: string(payload.Show),
		Order: "object", Begin: beginNow,
	}}
	first := func(to *string, offered []string) {
		if len(offered) > 0 {
			*to = offered[0]
		}
	}
	first(&f.Authentication, terms.Offer.Auth)
	first(&f.Payload, terms.Offer.Payload)
	first(&f.Order, terms.Offer.Order)
	first(&f.Scheme, terms.Offer.Signature)
	if f.Scheme == subscribers.SignatureNone {
		f.Signature = signNone
		if schemes := schemesOf(terms); len(schemes) > 0 {
			f.Scheme = schemes[0]
		}
	}
	return f
}

// formOf returns the form of a webhook as it is.
func formOf(e *callbacks.EndpointView, terms callbacks.Terms, listed map[string]bool) form {
	f := form{settings: settings{
		Label: e.Label, URL: e.URL, Authentication: authKeep, Signature: signMade, Scheme: e.Signature, Payload: e.Payload.Format,
		Source: e.Payload.Source, Link: e.Payload.URL, Binary: e.Payload.Binary, Previous: e.Payload.Previous,
		Fields: fieldLines(e.Payload.Fields), Order: e.Order, Rate: e.Rate, Filter: e.Filter, Headers: headerLines(e.Headers),
	}}
	if len(terms.Offer.Data) == 0 {
		f.Data = fieldLines(e.Payload.Data)
	}
	if e.Signature == subscribers.SignatureNone {
		f.Signature, f.Scheme = signNone, ""
		if schemes := schemesOf(terms); len(schemes) > 0 {
			f.Scheme = schemes[0]
		}
	}
	var ticked, others []string
	for _, pattern := range e.Events {
		if listed[pattern] {
			ticked = append(ticked, pattern)
		} else {
			others = append(others, pattern)
		}
	}
	f.Events, f.Others = joined(ticked), joined(others)
	return f
}

// differs reports whether a form has anything that another has not: saving it would change
// something.
func (f *form) differs(from form) bool {
	return f.compared() != from.compared() || f.credential != "" || f.sourceKey != ""
}

// compared returns settings as they are compared: a pattern is the same, ticked or written.
func (s settings) compared() settings {
	s.Events, s.Others = joined(append(split(s.Events), split(s.Others)...)), ""
	return s
}

// joined writes texts each on a line, in order.
func joined(texts []string) string {
	texts = slices.Clone(texts)
	sort.Strings(texts)
	return strings.Join(slices.Compact(texts), "\n")
}

// lines trims each line of a text, and leaves empty ones out.
func lines(text string) string {
	var kept []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

// oneLine writes a text on one line: a filter may be written on several. Other spaces stay,
// as they may stand in quotes.
func oneLine(text string) string {
	return strings.TrimSpace(strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ", "\t", " ").Replace(text))
}

// split returns the lines of a text.
func split(text string) []string {
	if text == "" {
		return []string{}
	}
	return strings.Split(text, "\n")
}

func fieldLines(fields []payload.Field) string {
	texts := make([]string, len(fields))
	for i, field := range fields {
		texts[i] = field.Name + "=" + field.Path
	}
	return strings.Join(texts, "\n")
}

func headerLines(headers map[string]string) string {
	var texts []string
	for name, value := range headers {
		texts = append(texts, name+": "+value)
	}
	return joined(texts)
}
