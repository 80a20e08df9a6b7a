// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// fieldErrors are what is wrong with fields, by the name of the field; "" is for the whole.
type fieldErrors map[string]string

// first returns one of what is wrong, for a page of one question.
func (w fieldErrors) first() string {
	for _, name := range slices.Sorted(maps.Keys(w)) {
		return w[name]
	}
	return ""
}

// members returns what a form says as the API takes it, and what of it cannot be read.
func (f *form) members(terms callbacks.Terms) (map[string]any, fieldErrors) {
	wrong := fieldErrors{}
	events := append(split(f.Events), split(f.Others)...)
	if len(events) == 0 {
		wrong["events"] = "Choose at least one event."
	}
	m := map[string]any{
		"label": orNull(f.Label), "url": orNull(f.URL), "events": anys(events), "filter": orNull(f.Filter), "order": orNull(f.Order),
		"headers": f.headers(wrong), "payload": f.payload(wrong, terms), "signature": f.Scheme,
	}
	for _, name := range terms.Require {
		if m[name] == nil {
			wrong[name] = "It is missing."
		}
	}
	if !terms.Offer.NoRate {
		m["rate"] = orNull(f.Rate)
	}
	if f.Signature == signNone {
		m["signature"] = subscribers.SignatureNone
	}
	if f.Signature == signOwn {
		if m["secret"] = f.sourceKey; f.sourceKey == "" {
			wrong["source_key"] = "Write the key, or choose another way of signing."
		}
	}
	switch f.Authentication {
	case authKeep:
	case subscribers.AuthNone:
		m["auth"] = nil
	default:
		m["auth"] = f.auth()
	}
	return m, wrong
}

func (f *form) auth() map[string]any {
	auth := map[string]any{"scheme": f.Authentication, "credential": f.credential}
	switch f.Authentication {
	case "basic":
		auth["name"] = f.Username
	case "header":
		auth["name"] = f.Header
	}
	return auth
}

// headers reads the headers, each on a line.
func (f *form) headers(wrong fieldErrors) map[string]any {
	m := map[string]any{}
	for _, line := range split(f.Headers) {
		name, value, has := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !has || name == "" {
			wrong["headers"] = fmt.Sprintf("Write each on a line, as X-Shop: harbour, not %q.", shortened(line))
			continue
		}
		m[name] = strings.TrimSpace(value)
	}
	return m
}

// payload reads the format, whole: null removes what another format had.
func (f *form) payload(wrong fieldErrors, terms callbacks.Terms) map[string]any {
	m := map[string]any{
		"format": f.Payload, "source": orNull(f.Source), "url": orNull(f.Link), "binary": f.Binary, "previous": f.Previous,
		"fields": fields(f.Fields, "fields", wrong),
	}
	if len(terms.Offer.Data) == 0 {
		m["data"] = fields(f.Data, "data", wrong)
	}
	return m
}

// fields reads members of a payload, each on a line; nil for none.
func fields(text, name string, wrong fieldErrors) any {
	if text == "" {
		return nil
	}
	var list []any
	for _, line := range split(text) {
		member, path, has := strings.Cut(line, "=")
		if !has {
			wrong[name] = fmt.Sprintf("Write each on a line, as status=state, not %q.", shortened(line))
			continue
		}
		list = append(list, map[string]any{"name": strings.TrimSpace(member), "path": strings.TrimSpace(path)})
	}
	return list
}

// begin returns what a new webhook begins with.
func (f *form) begin() string {
	if f.Begin == beginSince {
		return f.BeginsAt
	}
	return f.Begin
}

// changes returns the members that differ from those of another form, so that the audit
// says what was changed and nothing else. A header that is left out is removed (RFC 7396).
func changes(now, was map[string]any) map[string]any {
	changed := map[string]any{}
	for name, value := range now {
		if before, has := was[name]; !has || !reflect.DeepEqual(value, before) {
			changed[name] = value
		}
	}
	if headers, has := changed["headers"].(map[string]any); has {
		before, _ := was["headers"].(map[string]any)
		for name := range before {
			if _, stays := headers[name]; !stays {
				headers[name] = nil
			}
		}
	}
	return changed
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func anys(texts []string) []any {
	list := make([]any, len(texts))
	for i, text := range texts {
		list[i] = text
	}
	return list
}

// shortened returns the beginning of a text that is repeated in an error.
func shortened(text string) string {
	const most = 60
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// fieldOf returns the field that a JSON Pointer of the API is about, "" if none is.
func fieldOf(pointer string, f *form) string {
	name, rest, _ := strings.Cut(strings.TrimLeft(pointer, "/?"), "/")
	switch name {
	case "auth":
		switch {
		case rest == "credential" && f.Authentication == "bearer":
			return "token"
		case rest == "credential" && f.Authentication == "header":
			return "value"
		case rest == "credential":
			return "password"
		case rest == "name" && f.Authentication == "header":
			return "header"
		case rest == "name":
			return "username"
		}
		return "authentication"
	case "secret":
		return "source_key"
	case "payload":
		if part, _, _ := strings.Cut(rest, "/"); part == "fields" || part == "data" {
			return part
		}
		return "payload"
	case "label", "url", "events", "signature", "filter", "order", "rate", "headers", "begin":
		return name
	}
	return ""
}

// errorsOf returns what a problem of the API says of the fields of a form.
func errorsOf(p *callbacks.Problem, f *form) fieldErrors {
	wrong := fieldErrors{}
	for _, of := range p.Errors {
		text := sentence(of.Detail)
		if of.Remedy != "" {
			text += " " + sentence(of.Remedy)
		}
		if name := fieldOf(of.Pointer, f); wrong[name] == "" {
			wrong[name] = text
		}
	}
	if len(wrong) == 0 {
		wrong[""] = sentence(p.Detail)
	}
	return wrong
}
