// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/binary"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

const snapshotVersion = 1

// The bits of the flags of a stored snapshot.
const (
	flagUncertain  = 1
	flagStructured = 2
	flagTold       = 4
)

// appendSnapshot encodes: flags, hash, version, watched fields, time, changed at, tenant,
// content type, alias, deleting, hidden. The object, its sequence, whether it is gone, and
// its Show stand in the row.
func appendSnapshot(b []byte, s *event.Snapshot) []byte {
	b = append(b, snapshotVersion)
	var flags uint64
	if s.Uncertain {
		flags |= flagUncertain
	}
	if s.Structured {
		flags |= flagStructured
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
	b = record.AppendTime(b, s.Deleting)
	return record.AppendText(b, s.Hidden)
}

// parseSnapshot decodes into a snapshot what its row does not have.
func parseSnapshot(s *event.Snapshot, b []byte) error {
	r := record.NewReader(b, snapshotVersion)
	flags := r.Uint()
	s.Uncertain, s.Structured, s.Told = flags&flagUncertain != 0, flags&flagStructured != 0, flags&flagTold != 0
	s.Hash, s.Version, s.Watched, s.Time, s.ChangedAt = r.Bytes(), r.Text(), r.Fields(), r.Time(), r.Time()
	s.Tenant, s.ContentType, s.Alias, s.Deleting, s.Hidden = r.Text(), r.Text(), r.Text(), r.Time(), r.Text()
	return r.End()
}
