// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"encoding/binary"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

const resolutionVersion = 1

// AppendResolution encodes: unresolved, how many marks, and of each its key's
// resource, key's id, hints, version, cause, settle at, callback.
func AppendResolution(b []byte, resolution *queue.Resolution) []byte {
	b = append(b, resolutionVersion)
	b = AppendText(b, resolution.Unresolved)
	b = binary.AppendUvarint(b, uint64(len(resolution.Marks)))
	for i := range resolution.Marks {
		m := &resolution.Marks[i]
		b = AppendText(b, m.Key.Resource)
		b = AppendText(b, m.Key.ID)
		b = binary.AppendUvarint(b, uint64(m.Hints))
		b = AppendText(b, m.Version)
		b = AppendCause(b, m.Cause)
		b = AppendTime(b, m.SettleAt)
		b = AppendText(b, m.Callback)
	}
	return b
}

// ParseResolution decodes a resolution. It shares no memory with the record.
func ParseResolution(b []byte) (queue.Resolution, error) {
	r := NewReader(b, resolutionVersion)
	resolution := queue.Resolution{Unresolved: r.Text()}
	for range r.Count() {
		m := queue.Mark{
			Key: event.Key{Resource: r.Text(), ID: r.Text()}, Hints: queue.Hints(r.Uint()), Version: r.Text(),
			Cause: r.Cause(true), SettleAt: r.Time(), Callback: bytes.Clone(r.Bytes()),
		}
		if r.Err != nil {
			break
		}
		resolution.Marks = append(resolution.Marks, m)
	}
	return resolution, r.End()
}
