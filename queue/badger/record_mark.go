// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"encoding/binary"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/mark"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

// markVersion 1 knows no looks, and its causes end after their time; 2 does not have
// the last generation that was confirmed, and 3 not when the first exchange began.
const markVersion = 4

// appendMark encodes: hints, version, cause, settle at, generation, the
// generation of each hint that is set, tries, marked at, due at, last error,
// asked, confirmed, began. The object stands in the key.
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
			Key:      key,
			Hints:    queue.Hints(r.Uint()),
			Version:  r.Text(),
			Cause:    r.Cause(r.Version >= 2),
			SettleAt: r.Time(),
		},
		Generation: r.Uint(),
	}
	for i := range m.Hinted {
		if m.Hints&(1<<i) != 0 {
			m.Hinted[i] = r.Uint()
		}
	}
	m.Tries = int(r.Uint())
	m.MarkedAt = r.Time()
	m.DueAt = r.Time()
	m.LastError = r.Text()
	m.Asked = m.Generation
	if r.Version >= 2 {
		m.Asked = r.Uint()
	}
	switch {
	case r.Version >= 3:
		m.Confirmed = r.Uint()
	case !m.Hints.Has(queue.HintUnconfirmed):
		m.Confirmed = m.Asked
	}
	if r.Version >= 4 {
		m.Began = r.Time()
	} else if m.Asked > 0 {
		m.Began = m.Cause.At
	}
	return m, r.End()
}
