// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/binary"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/mark"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

const markVersion = 1

// appendMark encodes: hints, version, cause, settle at, generation, the generation of
// each hint that is set, tries, marked at, due at, last error, asked, confirmed, began.
// The object stands in the row.
func appendMark(b []byte, m *mark.Record) []byte {
	b = append(b, markVersion)
	b = binary.AppendUvarint(b, uint64(m.Hints))
	b = record.AppendText(b, m.Version)
	b = record.AppendCause(b, m.Cause)
	b = record.AppendTime(b, m.SettleAt)
	b = binary.AppendUvarint(b, m.Generation)
	for i, generation := range m.Hinted {
		if m.Hints&(1<<i) != 0 {
			b = binary.AppendUvarint(b, generation)
		}
	}
	b = binary.AppendUvarint(b, uint64(m.Tries))
	b = record.AppendTime(b, m.MarkedAt)
	b = record.AppendTime(b, m.DueAt)
	b = record.AppendText(b, m.LastError)
	b = binary.AppendUvarint(b, m.Asked)
	b = binary.AppendUvarint(b, m.Confirmed)
	return record.AppendTime(b, m.Began)
}

func parseMark(key event.Key, b []byte) (mark.Record, error) {
	r := record.NewReader(b, markVersion)
	m := mark.Record{
		Mark: queue.Mark{
			Key: key, Hints: queue.Hints(r.Uint()), Version: r.Text(), Cause: r.Cause(true), SettleAt: r.Time(),
		},
		Generation: r.Uint(),
	}
	for i := range m.Hinted {
		if m.Hints&(1<<i) != 0 {
			m.Hinted[i] = r.Uint()
		}
	}
	m.Tries, m.MarkedAt, m.DueAt, m.LastError = int(r.Uint()), r.Time(), r.Time(), r.Text()
	m.Asked, m.Confirmed, m.Began = r.Uint(), r.Uint(), r.Time()
	return m, r.End()
}
