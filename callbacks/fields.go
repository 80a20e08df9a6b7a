// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// edit is what a body makes of an endpoint.
type edit struct {
	members map[string]any
	// merge changes what is there as RFC 7396 has it; without it, what a body does not
	// name gets its default. Credentials are another thing: they never come back in an
	// answer, so whoever does not name them keeps them, in either case.
	merge bool
	// ownSecret lets a body say what signs.
	ownSecret bool
}

// names returns the members that a body names, for the audit.
func (d edit) names() []string { return slices.Sorted(maps.Keys(d.members)) }

// apply changes an endpoint. It fails with a [Problem] for a body that does not fit.
func (d edit) apply(e *subscribers.Endpoint) error {
	if !d.merge {
		*e = subscribers.Endpoint{
			ID: e.ID, Tenant: e.Tenant, Version: e.Version, Created: e.Created, Secrets: e.Secrets, Auth: e.Auth, Status: e.Status,
		}
	}
	var f form
	var order, status string
	takers := map[string]taker{
		"label": f.text(&e.Label), "url": f.text(&e.URL), "events": f.texts(&e.Events),
		"signature": f.text(&e.Signature), "rate": f.text(&e.Rate), "filter": f.text(&e.Filter),
		"order": func(pointer string, value any) {
			f.text(&order)(pointer, value)
			e.Order = endpoint.Order(order)
		},
		"status": func(pointer string, value any) {
			f.text(&status)(pointer, value)
			if e.Status = subscribers.Status(status); status == "" {
				e.Status = subscribers.Active
			}
		},
		"payload":  func(pointer string, value any) { d.payload(&f, pointer, value, e) },
		"auth":     func(pointer string, value any) { e.Auth = f.auth(pointer, value) },
		"headers":  f.pairs(&e.Headers, d.merge),
		"metadata": f.pairs(&e.Metadata, d.merge),
	}
	if d.ownSecret {
		takers["secret"] = func(pointer string, value any) { e.Secrets = f.secret(pointer, value) }
	}
	f.members("", d.members, takers)
	return f.err()
}

// auth takes credentials, whole: what is left out of them is not kept, since a part of
// old ones must not be sent together with a part of new ones.
func (f *form) auth(pointer string, value any) *subscribers.Auth {
	if value == nil {
		return nil
	}
	auth := new(subscribers.Auth)
	f.members(pointer, value, map[string]taker{
		"scheme": f.text(&auth.Scheme), "name": f.text(&auth.Name), "credential": f.text(&auth.Credential),
	})
	return auth
}

// PayloadView is a payload format as the API has it.
type PayloadView struct {
	Format   string          `json:"format"`
	Binary   bool            `json:"binary,omitempty"`
	Source   string          `json:"source,omitempty"`
	URL      string          `json:"url,omitempty"`
	Fields   []payload.Field `json:"fields,omitempty"`
	Data     []payload.Field `json:"data,omitempty"`
	Previous bool            `json:"previous,omitempty"`
}

// payload takes a payload format.
func (d edit) payload(f *form, pointer string, value any, e *subscribers.Endpoint) {
	if value == nil {
		e.Payload = ""
		return
	}
	view := PayloadView{Format: string(payload.Show)}
	if d.merge {
		view = payloadOf(e.Payload)
	}
	f.members(pointer, value, map[string]taker{
		"format": f.text(&view.Format), "binary": f.flag(&view.Binary), "source": f.text(&view.Source), "url": f.text(&view.URL),
		"previous": f.flag(&view.Previous),
		"fields":   func(pointer string, value any) { view.Fields = f.fields(pointer, value) },
		"data":     func(pointer string, value any) { view.Data = f.fields(pointer, value) },
	})
	if len(f.problems) > 0 {
		return
	}
	format, err := payload.New(payload.Config{
		Kind: payload.Kind(view.Format), Binary: view.Binary, Source: view.Source, URL: view.URL, Fields: view.Fields, Data: view.Data, Previous: view.Previous,
	})
	if err != nil {
		f.wrong(pointer, "see which formats there are", "%s", cause(err))
		return
	}
	e.Payload = format.String()
}

// fields takes the fields of a payload.
func (f *form) fields(pointer string, value any) []payload.Field {
	items, isList := value.([]any)
	if value != nil && !isList {
		f.wrong(pointer, `send a list, as [{"name":"status","path":"state"}]`, "it is %s", described(value))
		return nil
	}
	if len(items) > payload.MaxFields {
		f.wrong(pointer, "leave some out", "it has %d fields, and %d are possible", len(items), payload.MaxFields)
		return nil
	}
	fields := make([]payload.Field, len(items))
	for i, item := range items {
		f.members(fmt.Sprintf("%s/%d", pointer, i), item, map[string]taker{"name": f.text(&fields[i].Name), "path": f.text(&fields[i].Path)})
	}
	return fields
}

// payloadOf returns the view of a format as it is kept.
func payloadOf(text string) PayloadView {
	var config payload.Config
	if text == "" || json.Unmarshal([]byte(text), &config) != nil {
		return PayloadView{Format: string(payload.Show)}
	}
	return PayloadView{string(config.Kind), config.Binary, config.Source, config.URL, config.Fields, config.Data, config.Previous}
}

// cause returns the words of an error, without those of the sentinel before them. A
// long one is cut: it quotes what was sent.
func cause(err error) string {
	text := err.Error()
	if inner := errors.Unwrap(err); inner != nil {
		text = strings.TrimPrefix(text, inner.Error()+": ")
	}
	const most = 512
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// requirable are the members that an operator can require.
var requirable = map[string]func(e *subscribers.Endpoint) bool{
	"label":  func(e *subscribers.Endpoint) bool { return e.Label != "" },
	"url":    func(e *subscribers.Endpoint) bool { return e.URL != "" },
	"events": func(e *subscribers.Endpoint) bool { return len(e.Events) > 0 },
}

// Requirable returns the names of the members that an operator can require.
func Requirable() []string { return slices.Sorted(maps.Keys(requirable)) }

// requires reports, as a [Problem], which members an endpoint lacks.
func (c *call) requires(e *subscribers.Endpoint) error {
	var missing []FieldProblem
	for _, name := range c.options.Require {
		if has := requirable[name]; has != nil && !has(e) {
			missing = append(missing, FieldProblem{"/" + name, "it is missing", "send it"})
		}
	}
	if len(missing) > 0 {
		return invalid.in(missing...)
	}
	return nil
}
