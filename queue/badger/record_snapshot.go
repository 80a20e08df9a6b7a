// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"encoding/binary"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

const snapshotVersion = 1

// appendSnapshot encodes: sequence, gone, hash, version, watched fields, time.
// The object stands in the key.
func appendSnapshot(b []byte, s *event.Snapshot) []byte {
	b = append(b, snapshotVersion)
	b = binary.AppendUvarint(b, s.Sequence)
	var gone uint64
	if s.Gone {
		gone = 1
	}
	b = binary.AppendUvarint(b, gone)
	b = appendText(b, s.Hash)
	b = appendText(b, s.Version)
	b = appendFields(b, s.Watched)
	return appendTime(b, s.Time)
}

func parseSnapshot(key event.Key, record []byte) (event.Snapshot, error) {
	r := newReader(record, snapshotVersion)
	s := event.Snapshot{
		Key:      key,
		Sequence: r.uint(),
		Gone:     r.uint() != 0,
		Hash:     r.bytes(),
		Version:  r.text(),
		Watched:  r.fields(),
		Time:     r.time(),
	}
	return s, r.end()
}
