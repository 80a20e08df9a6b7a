// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
)

// Payload is the form in which events are sent.
type Payload struct {
	// Format is `show`, the Show as the API gave it; `standard`, {type,
	// timestamp, data}; `gateway`, {type, event_triggered, event_type,
	// event_body, event_id}; `cloudevents`; `thin`, without the Show; `fields`,
	// some of the Show's fields; or what has changed since the Show before, as
	// `patch` (RFC 6902) or `merge` (RFC 7396), which need `keep show`. Default:
	// `show`.
	Format string `json:"format,omitempty"`

	// Binary puts the attributes of `cloudevents` into headers.
	Binary bool `json:"binary,omitempty"`

	// Source is that of `cloudevents`, a URI. Default: `/` and the resource.
	Source string `json:"source,omitempty"`

	// URL is the link of `thin`, with `{resource}` and `{id}`, and `{id.1}`,
	// `{id.2}`, … for the parts of an id that has several. Default: none.
	URL string `json:"url,omitempty"`

	// Fields are the members of `fields`, in order.
	Fields []PayloadField `json:"fields,omitempty"`

	// Data is what `standard` and `gateway` have in the place of the Show, in order. A
	// dot in a name goes one level down. Default: the Show.
	Data []PayloadField `json:"data,omitempty"`

	// Previous adds the state before to `standard`, `gateway` and `fields`.
	Previous bool `json:"previous,omitempty"`
}

// PayloadField is a member of `fields` or `data`.
type PayloadField struct {
	// Name is the member's name.
	Name string `json:"name"`

	// Path says where its value stands in the Show; `:1`, `:2`, … for the
	// object's key; or `event:id`, `event:type`, `event:time`,
	// `event:sequence`, `event:op`, `event:tenant`, `event:object`,
	// `event:version` and `event:changed`. In `data`, `.` is the whole Show.
	Path string `json:"path"`
}

// format returns the format as the emitter wants it.
func (p *Payload) format(repl *filler) (payload.Format, error) {
	if p == nil {
		return payload.Format{}, nil
	}
	config := payload.Config{
		Kind: payload.Kind(p.Format), Binary: p.Binary, Previous: p.Previous,
		// Other placeholders are the link's own.
		Source: repl.ReplaceKnown(p.Source), URL: repl.ReplaceKnown(p.URL),
	}
	for _, field := range p.Fields {
		config.Fields = append(config.Fields, payload.Field{Name: field.Name, Path: field.Path})
	}
	for _, field := range p.Data {
		config.Data = append(config.Data, payload.Field{Name: field.Name, Path: field.Path})
	}
	return payload.New(config)
}

// unmarshalPayload reads
//
//	payload show
//	payload standard|gateway [data <name=path...>] [previous]
//	payload cloudevents [binary] [source <uri>]
//	payload thin [<url>]
//	payload fields <name=path...> [previous]
//	payload patch|merge
func (e *Endpoint) unmarshalPayload(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.Err("payload takes show, standard, gateway, cloudevents, thin, fields, patch or merge")
	}
	e.Payload = &Payload{Format: args[0]}
	data := false
	for i := 1; i < len(args); i++ {
		name, path, isField := strings.Cut(args[i], "=")
		switch arg := args[i]; {
		case arg == "previous" && i == len(args)-1:
			e.Payload.Previous = true
		case arg == "binary" && args[0] == string(payload.CloudEvents):
			e.Payload.Binary = true
		case arg == "source" && args[0] == string(payload.CloudEvents) && i+1 < len(args):
			i++
			e.Payload.Source = args[i]
		case args[0] == string(payload.Fields) && isField:
			e.Payload.Fields = append(e.Payload.Fields, PayloadField{Name: name, Path: path})
		case arg == "data" && i == 1 && i+1 < len(args):
			data = true
		case data && isField:
			e.Payload.Data = append(e.Payload.Data, PayloadField{Name: name, Path: path})
		case args[0] == string(payload.Thin) && i == 1:
			e.Payload.URL = arg
		default:
			return d.Errf("payload takes show, `standard [data NAME=PATH...] [previous]`, `gateway [data NAME=PATH...] [previous]`, `cloudevents [binary] [source URI]`, `thin [URL]`, "+
				"`fields NAME=PATH... [previous]`, patch or merge; %q does not fit after %s", arg, args[0])
		}
	}
	if strings.Contains(e.Payload.Source+e.Payload.URL, "{env.") || strings.Contains(e.Payload.Source+e.Payload.URL, "{file.") {
		return nil // checked when the placeholders are replaced
	}
	if _, err := e.Payload.format(newFiller(nil)); err != nil {
		return d.WrapErr(err)
	}
	return nil
}
