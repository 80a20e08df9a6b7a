// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"encoding/binary"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

// snapshotVersion 2 does not tell what is hidden, and is written where nothing is,
// so that older versions read it; 1 ends with the time.
const (
	snapshotVersion     = 3
	snapshotVersionOpen = 2
)

// snapshotRecord is a stored snapshot.
type snapshotRecord struct {
	event.Snapshot
	// Parts is 0 if the Show stands in the record. Otherwise it stands in that
	// many records of its own, in one of the object's two slots.
	Parts int
	Slot  byte
}

// The bits of the flags of a stored snapshot.
const (
	flagGone      = 1
	flagUncertain = 2
	// flagStructured is unknown to earlier versions, which ignore it.
	flagStructured = 4
	flagDeleting   = 8
	// flagTold is unknown to earlier versions, which drop it with each change.
	flagTold = 16
)

// appendSnapshot encodes: sequence, flags, hash, version, watched fields, time,
// changed at, tenant, content type, alias, parts, then either slot or the Show, and
// if the object is being deleted, since when. The third version ends with what is
// hidden. The object stands in the key.
func appendSnapshot(b []byte, s *snapshotRecord) []byte {
	version := byte(snapshotVersionOpen)
	if s.Hidden != "" {
		version = snapshotVersion
	}
	b = append(b, version)
	b = binary.AppendUvarint(b, s.Sequence)
	var flags uint64
	if s.Gone {
		flags |= flagGone
	}
	if s.Uncertain {
		flags |= flagUncertain
	}
	if s.Structured {
		flags |= flagStructured
	}
	if !s.Deleting.IsZero() {
		flags |= flagDeleting
	}
	if s.Told {
		flags |= flagTold
	}
	b = binary.AppendUvarint(b, flags)
	b = record.AppendText(b, s.Hash)
	b = record.AppendText(b, s.Version)
	b = record.AppendFields(b, s.Watched)
	b = record.AppendTime(b, s.Time)
	b = record.AppendTime(b, s.ChangedAt)
	b = record.AppendText(b, s.Tenant)
	b = record.AppendText(b, s.ContentType)
	b = record.AppendText(b, s.Alias)
	b = binary.AppendUvarint(b, uint64(s.Parts))
	if s.Parts > 0 {
		b = binary.AppendUvarint(b, uint64(s.Slot))
	} else {
		b = record.AppendText(b, s.Show)
	}
	if !s.Deleting.IsZero() {
		b = record.AppendTime(b, s.Deleting)
	}
	if version == snapshotVersion {
		b = record.AppendText(b, s.Hidden)
	}
	return b
}

// parseSnapshot decodes a snapshot. Its hash, fields and Show are parts of the
// record itself.
func parseSnapshot(key event.Key, b []byte) (snapshotRecord, error) {
	r := record.NewReader(b, snapshotVersion)
	sequence, flags := r.Uint(), r.Uint()
	s := snapshotRecord{Snapshot: event.Snapshot{
		Key:       key,
		Sequence:  sequence,
		Gone:      flags&flagGone != 0,
		Uncertain: flags&flagUncertain != 0,

		Structured: flags&flagStructured != 0,
		Told:       flags&flagTold != 0,

		Hash:    r.Bytes(),
		Version: r.Text(),
		Watched: r.Fields(),
		Time:    r.Time(),
	}}
	if r.Version < 2 {
		return s, r.End()
	}
	s.ChangedAt, s.Tenant, s.ContentType, s.Alias = r.Time(), r.Text(), r.Text(), r.Text()
	parts := r.Uint()
	switch {
	case parts > maxParts:
		r.Err = errDamaged
	case parts > 0:
		s.Parts, s.Slot = int(parts), byte(r.Uint()&1)
	default:
		s.Show = r.Bytes()
	}
	if flags&flagDeleting != 0 {
		s.Deleting = r.Time()
	}
	if r.Version >= 3 {
		s.Hidden = r.Text()
	}
	return s, r.End()
}
