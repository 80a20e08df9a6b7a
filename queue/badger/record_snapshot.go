// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"encoding/binary"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// snapshotVersion 1 ends with the time.
const snapshotVersion = 2

// snapshotRecord is a snapshot as it is stored.
type snapshotRecord struct {
	event.Snapshot
	// Parts is 0 if the Show stands in the record. Otherwise it stands in as
	// many records of its own, in one of the two slots of its object.
	Parts int
	Slot  byte
}

// appendSnapshot encodes: sequence, gone, hash, version, watched fields, time,
// changed at, tenant, content type, alias, parts, and then either slot or the
// Show. The object stands in the key.
func appendSnapshot(b []byte, s *snapshotRecord) []byte {
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
	b = appendTime(b, s.Time)
	b = appendTime(b, s.ChangedAt)
	b = appendText(b, s.Tenant)
	b = appendText(b, s.ContentType)
	b = appendText(b, s.Alias)
	b = binary.AppendUvarint(b, uint64(s.Parts))
	if s.Parts > 0 {
		return binary.AppendUvarint(b, uint64(s.Slot))
	}
	return appendText(b, s.Show)
}

// parseSnapshot decodes a snapshot. Its hash, fields and Show are parts of the
// record itself.
func parseSnapshot(key event.Key, record []byte) (snapshotRecord, error) {
	r := newReader(record, snapshotVersion)
	s := snapshotRecord{Snapshot: event.Snapshot{
		Key:      key,
		Sequence: r.uint(),
		Gone:     r.uint() != 0,
		Hash:     r.bytes(),
		Version:  r.text(),
		Watched:  r.fields(),
		Time:     r.time(),
	}}
	if r.version < 2 {
		return s, r.end()
	}
	s.ChangedAt, s.Tenant, s.ContentType, s.Alias = r.time(), r.text(), r.text(), r.text()
	parts := r.uint()
	switch {
	case parts > maxParts:
		r.err = errDamaged
	case parts > 0:
		s.Parts, s.Slot = int(parts), byte(r.uint()&1)
	default:
		s.Show = r.bytes()
	}
	return s, r.end()
}
