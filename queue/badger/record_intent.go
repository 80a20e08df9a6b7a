// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"encoding/binary"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// intentVersion 1 has no callback and no touches; 2 has no hops.
const intentVersion = 3

// appendIntent encodes: resource, kind, rule, key's resource, key's id, noted,
// deadline, callback, touches, hops. The intent's number stands in the key.
func appendIntent(b []byte, intent *queue.Intent) []byte {
	b = append(b, intentVersion)
	return appendIntentFields(b, intent)
}

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

func parseIntent(id queue.IntentID, record []byte) (queue.Intent, error) {
	r := newReader(record, intentVersion)
	intent := r.intentFields(id)
	intent.Callback = bytes.Clone(intent.Callback)
	return intent, r.end()
}

// unresolvedVersion N holds an intent as intentVersion N does.
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
