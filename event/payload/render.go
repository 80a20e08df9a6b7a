// SPDX-License-Identifier: Apache-2.0

package payload

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Body is a rendered event: what a delivery sends.
type Body struct {
	// ContentType is the Content-Type header; "" leaves it out.
	ContentType string
	// Header holds further headers, by their canonical names.
	Header [][2]string
	// Bytes are the body. They may be the event's own.
	Bytes []byte
}

// gatewayTime is the format in which payment gateways write a time, in UTC.
const gatewayTime = "2006-01-02 15:04:05"

// Render returns the body to send for an event. The same event always gives the
// same bytes.
func (f Format) Render(e *event.Event) Body {
	switch f.config.Kind {
	case Standard:
		return Body{ContentType: jsonType, Bytes: f.standard(e)}
	case Gateway:
		return Body{ContentType: jsonType, Bytes: f.gateway(e)}
	case CloudEvents:
		if f.config.Binary {
			return Body{ContentType: e.ContentType, Header: f.attributes(e), Bytes: e.Payload}
		}
		return Body{ContentType: "application/cloudevents+json", Bytes: f.structured(e)}
	case Thin:
		return Body{ContentType: jsonType, Bytes: f.thin(e)}
	case Fields:
		return Body{ContentType: jsonType, Bytes: f.fields(e)}
	case Patch, Merge:
		return Body{ContentType: jsonType, Bytes: f.difference(e)}
	default:
		return Body{ContentType: e.ContentType, Bytes: e.Payload}
	}
}

const jsonType = "application/json"

// Copied returns the most bytes that Render allocates for event content of this
// size, the payload and the previous Show together. The envelope adds less than
// a kilobyte, unless a source or link is long. JSON is copied as it is; other
// content is written as text or in base64, and counts twice. Fields count as if
// they did not overlap; data of its own is copied from level to level. To find what differs takes the texts of both Shows, and the
// names in them, beside what is rendered.
func (f Format) Copied(size int64, contentType string) int64 {
	switch kind := f.config.Kind; {
	case f.IsDifference(), len(f.config.Data) > 0:
		return 4 * size
	case kind == Thin, kind == CloudEvents && f.config.Binary:
		return 0
	case kind != Standard && kind != Gateway && kind != CloudEvents && kind != Fields:
		return 0
	case !strings.Contains(contentType, "json"):
		return 2 * size
	default:
		return size
	}
}

// begin returns an object with room for everything that goes into it. If it had
// to grow, the old and the new buffer would be in memory at the same time.
func begin(e *event.Event, previous bool) object {
	size := len(e.Payload) + 512
	if previous {
		size += len(e.PreviousShow)
	}
	return object{b: make([]byte, 0, size)}
}

func (f Format) standard(e *event.Event) []byte {
	o := begin(e, f.config.Previous)
	o.text("type", e.Type)
	o.text("timestamp", instant(e.Time))
	o.changed("changed", e.Changed)
	f.body(&o, "data", e)
	f.previous(&o, "previous", e)
	return o.end()
}

func (f Format) gateway(e *event.Event) []byte {
	o := begin(e, f.config.Previous)
	o.text("type", "event")
	o.text("event_triggered", e.Time.UTC().Format(gatewayTime))
	o.text("event_type", e.Type)
	o.changed("event_changed", e.Changed)
	f.body(&o, "event_body", e)
	f.previous(&o, "event_previous", e)
	o.text("event_id", e.ID)
	return o.end()
}

// body adds the Show, or what the format has in its place.
func (f Format) body(o *object, name string, e *event.Event) {
	if len(f.config.Data) > 0 {
		o.raw(name, f.data(e))
		return
	}
	o.embed(name, e.Payload)
}

// structured is a CloudEvent in its JSON form.
func (f Format) structured(e *event.Event) []byte {
	o := begin(e, false)
	o.text("specversion", "1.0")
	o.text("id", e.ID)
	o.text("source", f.source(e))
	o.text("type", e.Type)
	o.text("subject", e.Key.String())
	o.text("time", instant(e.Time))
	if e.ContentType != "" {
		o.text("datacontenttype", e.ContentType)
	}
	if e.Changed != nil {
		// An attribute is no array.
		o.text("changed", e.Changed.Header())
	}
	o.embed("data", e.Payload)
	return o.end()
}

// attributes are the headers of a CloudEvent in binary form.
func (f Format) attributes(e *event.Event) [][2]string {
	return [][2]string{
		{"Ce-Specversion", "1.0"},
		{"Ce-Id", attribute(e.ID)},
		{"Ce-Source", attribute(f.source(e))},
		{"Ce-Type", attribute(e.Type)},
		{"Ce-Subject", attribute(e.Key.String())},
		{"Ce-Time", instant(e.Time)},
	}
}

func (f Format) source(e *event.Event) string {
	if f.config.Source != "" {
		return f.config.Source
	}
	return "/" + e.Key.Resource
}

// attribute encodes an attribute's value for the HTTP binding of CloudEvents
// (section 3.1.3.2): quotes, percent signs and everything but printable ASCII
// are percent-encoded.
func attribute(value string) string {
	var encoded strings.Builder
	for _, b := range []byte(value) {
		if b <= ' ' || b > '~' || b == '"' || b == '%' {
			encoded.WriteString("%" + strings.ToUpper(strconv.FormatUint(uint64(b)+0x100, 16)[1:]))
			continue
		}
		encoded.WriteByte(b)
	}
	return encoded.String()
}

func (f Format) thin(e *event.Event) []byte {
	var o object
	o.text("id", e.ID)
	o.text("type", e.Type)
	o.text("timestamp", instant(e.Time))
	o.text("object", e.Key.String())
	if f.config.URL != "" {
		o.text("url", f.url(e.Key))
	}
	o.changed("changed", e.Changed)
	return o.end()
}

// url puts an object's key into the link. The parts of the key are encoded
// already.
func (f Format) url(key event.Key) string {
	parts := strings.Split(key.ID, "/")
	var built strings.Builder
	for i, text := range f.link {
		if i%2 == 0 {
			built.WriteString(text)
			continue
		}
		switch number, isPart := strings.CutPrefix(text, "id."); {
		case isPart:
			if n, err := strconv.Atoi(number); err == nil && n <= len(parts) {
				built.WriteString(parts[n-1])
			}
		case text == "resource":
			built.WriteString(key.Resource)
		default:
			built.WriteString(key.ID)
		}
	}
	return built.String()
}

// previous adds the previous state, if wanted.
func (f Format) previous(o *object, name string, e *event.Event) {
	if !f.config.Previous {
		return
	}
	if len(e.PreviousShow) > 0 {
		o.embed(name, e.PreviousShow)
		return
	}
	o.raw(name, fieldsJSON(e.Previous))
}

// fieldsJSON returns watched fields by their paths, null if they are unknown.
func fieldsJSON(fields event.Fields) []byte {
	if fields == nil {
		return []byte("null")
	}
	text, err := json.Marshal(fields)
	if err != nil {
		// The fields were cut out of valid JSON, so this does not happen.
		return []byte("null")
	}
	return text
}

// instant formats a time as in RFC 3339.
func instant(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// object is a JSON object under construction.
type object struct{ b []byte }

func (o *object) name(name string) {
	separator := byte(',')
	if len(o.b) == 0 {
		separator = '{'
	}
	o.b = append(appendText(append(o.b, separator), name), ':')
}

func (o *object) text(name, value string) {
	o.name(name)
	o.b = appendText(o.b, value)
}

func (o *object) raw(name string, value []byte) {
	o.name(name)
	o.b = append(o.b, value...)
}

// embed adds a body: JSON as it is, other text as a string. Any other bytes go,
// in base64, into a member whose name says so, as in CloudEvents.
func (o *object) embed(name string, body []byte) {
	switch trimmed := bytes.TrimSpace(body); {
	case len(trimmed) == 0:
		o.raw(name, []byte("null"))
	case json.Valid(trimmed):
		o.raw(name, trimmed)
	case utf8.Valid(body):
		o.text(name, string(body))
	default:
		o.name(name + "_base64")
		o.b = append(base64.StdEncoding.AppendEncode(append(o.b, '"'), body), '"')
	}
}

// changed adds what has changed, if it is known.
func (o *object) changed(name string, pointers event.Pointers) {
	if pointers != nil {
		o.name(name)
		o.b = appendPointers(o.b, pointers)
	}
}

func (o *object) end() []byte {
	if len(o.b) == 0 {
		return []byte("{}")
	}
	return append(o.b, '}')
}

// appendPointers writes pointers as JSON, null if they are not known.
func appendPointers(to []byte, pointers event.Pointers) []byte {
	if pointers == nil {
		return append(to, "null"...)
	}
	to = append(to, '[')
	for i, pointer := range pointers {
		if i > 0 {
			to = append(to, ',')
		}
		to = appendText(to, pointer)
	}
	return append(to, ']')
}

// appendText writes a string as JSON. Unlike the standard library's default,
// it leaves <, > and & as they are.
func appendText(to []byte, text string) []byte {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	// Encoding a string cannot fail.
	_ = encoder.Encode(text)
	return append(to, bytes.TrimRight(buffer.Bytes(), "\n")...)
}
