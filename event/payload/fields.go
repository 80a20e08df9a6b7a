// SPDX-License-Identifier: Apache-2.0

package payload

import (
	"strconv"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// eventValues are the values of "event:NAME".
var eventValues = map[string]func(e *event.Event) string{
	"id":      func(e *event.Event) string { return e.ID },
	"type":    func(e *event.Event) string { return e.Type },
	"time":    func(e *event.Event) string { return instant(e.Time) },
	"op":      func(e *event.Event) string { return string(e.Op) },
	"tenant":  func(e *event.Event) string { return e.Tenant },
	"object":  func(e *event.Event) string { return e.Key.String() },
	"version": func(e *event.Event) string { return e.Version },
	// These are no strings; see fixedValue.
	"sequence": nil, "changed": nil,
}

// values finds the values of fields in an event.
type values struct {
	event       *event.Event
	now, before event.Document
	key         []string
}

func (f Format) values(e *event.Event) values {
	return values{e, event.NewDocument(e.Payload), event.NewDocument(e.PreviousShow), e.Key.Parts()}
}

// of returns the value of a path, nil for none. A deleted object has no Show: its last
// known state is all that can be sent.
func (v values) of(path string) []byte {
	value := fixedValue(path, v.event, v.key)
	if value == nil {
		value = v.now.Field(path)
	}
	if len(value) == 0 && v.event.Op == event.OpDelete {
		value = lastKnown(path, v.before, v.event.Previous)
	}
	return value
}

// fields is the projection of the Show.
func (f Format) fields(e *event.Event) []byte {
	var o object
	values := f.values(e)
	for _, field := range f.config.Fields {
		o.raw(field.Name, orNull(values.of(field.Path)))
	}
	if f.config.Previous {
		o.raw("previous", f.previousFields(e, values.before))
	}
	return o.end()
}

// previousFields is the projection of the previous state, null if that is
// unknown.
func (f Format) previousFields(e *event.Event, before event.Document) []byte {
	if len(e.PreviousShow) == 0 && e.Previous == nil {
		return []byte("null")
	}
	var o object
	for _, field := range f.config.Fields {
		if isFixed(field.Path) {
			continue
		}
		o.raw(field.Name, orNull(lastKnown(field.Path, before, e.Previous)))
	}
	return o.end()
}

func lastKnown(path string, before event.Document, watched event.Fields) []byte {
	if value := before.Field(path); len(value) > 0 {
		return value
	}
	return watched[path]
}

// isFixed reports whether a path is not a path of the Show.
func isFixed(path string) bool {
	return strings.HasPrefix(path, ":") || strings.HasPrefix(path, "event:")
}

// fixedValue returns the value of a path that is not a path of the Show, or nil
// for a path of the Show.
func fixedValue(path string, e *event.Event, keyParts []string) []byte {
	if number, ok := strings.CutPrefix(path, ":"); ok {
		if n, err := strconv.Atoi(number); err == nil && n <= len(keyParts) {
			return appendText(nil, keyParts[n-1])
		}
		return []byte("null")
	}
	name, ok := strings.CutPrefix(path, "event:")
	switch {
	case !ok:
		return nil
	case name == "sequence":
		return strconv.AppendUint(nil, e.Sequence, 10)
	case name == "changed":
		return appendPointers(nil, e.Changed)
	}
	if text := eventValues[name](e); text != "" {
		return appendText(nil, text)
	}
	return []byte("null")
}

func orNull(value []byte) []byte {
	if len(value) == 0 {
		return []byte("null")
	}
	return value
}
