// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/binary"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

const sentVersion = 1

// encodeSent encodes what is kept of a request: host, checksum of the settings, keys, trace.
// Of nothing sent, it is nothing.
func encodeSent(s *queue.Sent) []byte {
	if s.IsZero() {
		return nil
	}
	b := record.AppendText([]byte{sentVersion}, s.Host)
	b = binary.AppendUvarint(b, uint64(s.Settings))
	b = binary.AppendUvarint(b, uint64(len(s.Keys)))
	for _, key := range s.Keys {
		b = record.AppendText(b, key)
	}
	return record.AppendText(b, s.Trace)
}

func parseSent(b []byte) (s queue.Sent, err error) {
	if len(b) == 0 {
		return s, nil
	}
	r := record.NewReader(b, sentVersion)
	s.Host = r.Text()
	s.Settings = uint16(r.Uint())
	for range r.Count() {
		s.Keys = append(s.Keys, r.Text())
	}
	s.Trace = r.Text()
	return s, r.End()
}
