// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"encoding/binary"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// intentVersion 1 has no callback and no touches; 2 has no hops; up to 3, a
// row holds one intent, and the key its number.
const intentVersion = 4

// appendIntents encodes: how many there are, and of each the difference of its
// number to that in the key, and its fields.
func appendIntents(b []byte, first queue.IntentID, intents []*openIntent) []byte {
	b = append(b, intentVersion)
	b = binary.AppendUvarint(b, uint64(len(intents)))
	for _, intent := range intents {
		b = binary.AppendUvarint(b, uint64(intent.id-first))
		b = append(b, intent.fields...)
	}
	return b
}

// parseIntents decodes the intents of a row. They share no memory with it.
func parseIntents(first queue.IntentID, record []byte) ([]queue.Intent, error) {
	r := newReader(record, intentVersion)
	n, numbered := 1, r.version >= 4
	if numbered {
		n = r.count()
	}
	var intents []queue.Intent
	for range n {
		id := first
		if numbered {
			id += queue.IntentID(r.uint())
		}
		intent := r.intentFields(id)
		intent.Callback = bytes.Clone(intent.Callback)
		if r.err != nil {
			break
		}
		intents = append(intents, intent)
	}
	return intents, r.end()
}

// appendIntentFields encodes: resource, kind, rule, key's resource, key's id,
// noted, deadline, callback, touches, hops.
func appendIntentFields(b []byte, intent *queue.Intent) []byte {
	b = appendText(b, intent.Resource)
	b = appendText(b, intent.Kind)
	b = appendText(b, intent.Rule)
	b = appendText(b, intent.Key.Resource)
	b = appendText(b, intent.Key.ID)
	b = appendTime(b, intent.Noted)
	b = appendTime(b, intent.Deadline)
	b = appendText(b, intent.Callback)
	b = binary.AppendUvarint(b, uint64(len(intent.Touches)))
	for _, key := range intent.Touches {
		b = appendText(b, key.Resource)
		b = appendText(b, key.ID)
	}
	return appendText(b, intent.Hops)
}

func (r *reader) intentFields(id queue.IntentID) queue.Intent {
	intent := queue.Intent{
		ID:       id,
		Resource: r.text(),
		Kind:     event.Kind(r.text()),
		Rule:     r.text(),
		Key:      event.Key{Resource: r.text(), ID: r.text()},
		Noted:    r.time(),
		Deadline: r.time(),
	}
	if r.version >= 2 {
		intent.Callback = r.bytes()
		for range r.count() {
			intent.Touches = append(intent.Touches, event.Key{Resource: r.text(), ID: r.text()})
		}
	}
	if r.version >= 3 {
		intent.Hops = r.text()
	}
	return intent
}

// parseIntentFields decodes the fields of an intent that is open.
func parseIntentFields(id queue.IntentID, fields []byte) (queue.Intent, error) {
	r := reader{rest: fields, version: intentVersion}
	intent := r.intentFields(id)
	intent.Callback = bytes.Clone(intent.Callback)
	return intent, r.end()
}

// unresolvedVersion N holds an intent's fields as intentVersion N does.
const unresolvedVersion = 3

// appendUnresolved encodes: the intent's fields, reason, at.
func appendUnresolved(b []byte, u *queue.Unresolved) []byte {
	b = append(b, unresolvedVersion)
	b = appendIntentFields(b, &u.Intent)
	b = appendText(b, u.Reason)
	return appendTime(b, u.At)
}

func parseUnresolved(id queue.IntentID, record []byte) (queue.Unresolved, error) {
	r := newReader(record, unresolvedVersion)
	u := queue.Unresolved{Intent: r.intentFields(id), Reason: r.text(), At: r.time()}
	u.Callback = bytes.Clone(u.Callback)
	return u, r.end()
}
