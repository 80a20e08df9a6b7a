// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"encoding/binary"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/mark"
)

// markVersion 1 knows no looks, and of a cause what causeFields says.
const markVersion = 2

// appendMark encodes: hints, version, cause, settle at, generation, the
// generation of each hint that is set, tries, marked at, due at, last error,
// asked. The object stands in the key.
func appendMark(b []byte, m *mark.Record) []byte {
	b = append(b, markVersion)
	b = binary.AppendUvarint(b, uint64(m.Hints))
	b = appendText(b, m.Version)
	b = appendCause(b, m.Cause)
	b = appendTime(b, m.SettleAt)
	b = binary.AppendUvarint(b, m.Generation)
	for i, generation := range m.Hinted {
		if m.Hints&(1<<i) != 0 {
			b = binary.AppendUvarint(b, generation)
		}
	}
	b = binary.AppendUvarint(b, uint64(m.Tries))
	b = appendTime(b, m.MarkedAt)
	b = appendTime(b, m.DueAt)
	b = appendText(b, m.LastError)
	return binary.AppendUvarint(b, m.Asked)
}

func parseMark(key event.Key, record []byte) (mark.Record, error) {
	r := newReader(record, markVersion)
	m := mark.Record{
		Mark: queue.Mark{
			Key:      key,
			Hints:    queue.Hints(r.uint()),
			Version:  r.text(),
			Cause:    r.cause(r.version >= 2),
			SettleAt: r.time(),
		},
		Generation: r.uint(),
	}
	for i := range m.Hinted {
		if m.Hints&(1<<i) != 0 {
			m.Hinted[i] = r.uint()
		}
	}
	m.Tries = int(r.uint())
	m.MarkedAt = r.time()
	m.DueAt = r.time()
	m.LastError = r.text()
	m.Asked = m.Generation
	if r.version >= 2 {
		m.Asked = r.uint()
	}
	return m, r.end()
}

// appendCause encodes: rule, outcome, at, method, path, resource, traceparent,
// hops.
func appendCause(b []byte, cause event.Cause) []byte {
	b = appendText(b, cause.Rule)
	b = appendText(b, cause.Outcome)
	b = appendTime(b, cause.At)
	b = appendText(b, cause.Method)
	b = appendText(b, cause.Path)
	b = appendText(b, cause.Resource)
	b = appendText(b, cause.TraceParent)
	return appendText(b, cause.Hops)
}

// cause decodes a cause. The first versions of records end it after its time.
func (r *reader) cause(whole bool) event.Cause {
	cause := event.Cause{Rule: r.text(), Outcome: event.Outcome(r.text()), At: r.time()}
	if whole {
		cause.Method, cause.Path, cause.Resource = r.text(), r.text(), r.text()
		cause.TraceParent, cause.Hops = r.text(), r.text()
	}
	return cause
}
