// SPDX-License-Identifier: Apache-2.0

package payload

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/event/change"
)

// difference says what makes the event's Show of the one that the event with the
// sequence base had. All events of a transition have the same Show, so a receiver
// that has applied one of them holds state, and skips the others: it would add and
// remove twice. Base is null if the whole Show is there, which needs no other.
func (f Format) difference(e *event.Event) []byte {
	base, name, value, exact := f.compare(e)
	o := object{b: make([]byte, 0, len(value)+512)}
	o.text("type", e.Type)
	o.text("timestamp", instant(e.Time))
	o.text("object", e.Key.String())
	o.raw("sequence", strconv.AppendUint(nil, e.Sequence, 10))
	o.raw("base", orNull(base))
	state := e.State
	if state == 0 {
		state = e.Sequence
	}
	o.raw("state", strconv.AppendUint(nil, state, 10))
	o.changed("changed", e.Changed)
	if !exact {
		o.raw("exact", []byte("false"))
	}
	o.raw(name, value)
	return o.end()
}

// compare returns what the member of the difference is named and says, and what it
// is based on, nil for nothing.
func (f Format) compare(e *event.Event) (base []byte, name string, value []byte, exact bool) {
	now, previous := bytes.TrimSpace(e.Payload), bytes.TrimSpace(e.PreviousShow)
	switch {
	case e.Op == event.OpDelete:
		return nil, "deleted", []byte("true"), true
	case !json.Valid(now):
		name, value = f.whole(e.Payload)
		return nil, name, value, true
	case e.Base == 0 || e.Op != event.OpChange || !json.Valid(previous):
		return f.wholeJSON(now)
	}
	base = strconv.AppendUint(nil, e.Base, 10)
	if f.config.Kind == Merge {
		value, exact = change.Merge(previous, now)
		return base, string(Merge), value, exact
	}
	value, whole := change.Patch(previous, now)
	if whole {
		base = nil
	}
	return base, string(Patch), value, true
}

// wholeJSON is a difference that needs no other Show.
func (f Format) wholeJSON(now []byte) (base []byte, name string, value []byte, exact bool) {
	if f.config.Kind == Merge {
		return nil, string(Merge), now, change.MergeWhole(now)
	}
	return nil, string(Patch), change.Whole(now), true
}

// whole returns a Show that is no JSON: as text, or in base64, for which a member
// of its own stands.
func (f Format) whole(show []byte) (name string, value []byte) {
	var o object
	o.embed("data", show)
	if encoded, ok := bytes.CutPrefix(o.b, []byte(`{"data_base64":`)); ok {
		return "data_base64", encoded
	}
	value = bytes.TrimPrefix(o.b, []byte(`{"data":`))
	if f.config.Kind == Patch {
		return string(Patch), change.Whole(value)
	}
	return string(Merge), value
}
