// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"encoding/binary"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// intentVersion 1 has no callback and no touches; 2 has no hops; up to 3, a
// row holds one intent, and the key its number.
const intentVersion = 4

// Row is an intent in a row: its number, and its fields as AppendIntent encodes
// them.
type Row interface {
	Row() (id queue.IntentID, fields []byte)
}

// AppendIntents encodes: how many there are, and of each the difference of its
// number to that in the key, and its fields.
func AppendIntents[T Row](b []byte, first queue.IntentID, intents []T) []byte {
	b = append(b, intentVersion)
	b = binary.AppendUvarint(b, uint64(len(intents)))
	for _, intent := range intents {
		id, fields := intent.Row()
		b = binary.AppendUvarint(b, uint64(id-first))
		b = append(b, fields...)
	}
	return b
}

// ParseIntents decodes the intents of a row. They share no memory with it.
func ParseIntents(first queue.IntentID, b []byte) ([]queue.Intent, error) {
	r := NewReader(b, intentVersion)
	n, numbered := 1, r.Version >= 4
	if numbered {
		n = r.Count()
	}
	var intents []queue.Intent
	for range n {
		id := first
		if numbered {
			id += queue.IntentID(r.Uint())
		}
		intent := r.Intent(id)
		intent.Callback = bytes.Clone(intent.Callback)
		if r.Err != nil {
			break
		}
		intents = append(intents, intent)
	}
	return intents, r.End()
}

// AppendIntent encodes: resource, kind, rule, key's resource, key's id,
// noted, deadline, callback, touches, hops.
func AppendIntent(b []byte, intent *queue.Intent) []byte {
	b = AppendText(b, intent.Resource)
	b = AppendText(b, intent.Kind)
	b = AppendText(b, intent.Rule)
	b = AppendText(b, intent.Key.Resource)
	b = AppendText(b, intent.Key.ID)
	b = AppendTime(b, intent.Noted)
	b = AppendTime(b, intent.Deadline)
	b = AppendText(b, intent.Callback)
	b = binary.AppendUvarint(b, uint64(len(intent.Touches)))
	for _, key := range intent.Touches {
		b = AppendText(b, key.Resource)
		b = AppendText(b, key.ID)
	}
	return AppendText(b, intent.Hops)
}

// Intent decodes the fields of an intent.
func (r *Reader) Intent(id queue.IntentID) queue.Intent {
	intent := queue.Intent{
		ID:       id,
		Resource: r.Text(),
		Kind:     event.Kind(r.Text()),
		Rule:     r.Text(),
		Key:      event.Key{Resource: r.Text(), ID: r.Text()},
		Noted:    r.Time(),
		Deadline: r.Time(),
	}
	if r.Version >= 2 {
		intent.Callback = r.Bytes()
		for range r.Count() {
			intent.Touches = append(intent.Touches, event.Key{Resource: r.Text(), ID: r.Text()})
		}
	}
	if r.Version >= 3 {
		intent.Hops = r.Text()
	}
	return intent
}

// ParseIntent decodes the fields of an open intent.
func ParseIntent(id queue.IntentID, fields []byte) (queue.Intent, error) {
	r := Reader{Rest: fields, Version: intentVersion}
	intent := r.Intent(id)
	intent.Callback = bytes.Clone(intent.Callback)
	return intent, r.End()
}
