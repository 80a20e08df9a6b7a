// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"encoding/binary"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

const (
	recordVersion = 1
	epochVersion  = 1
)

// appendRecordFields encodes: owner, expires, value. The committer appends the
// version. Kind and id stand in the key.
func appendRecordFields(b []byte, r *queue.Record) []byte {
	b = append(b, recordVersion)
	b = record.AppendText(b, r.Owner)
	b = record.AppendTime(b, r.Expires)
	return record.AppendText(b, r.Value)
}

func appendRecord(b []byte, r *queue.Record) []byte {
	return binary.AppendUvarint(appendRecordFields(b, r), r.Version)
}

// parseRecord decodes a record. It shares no memory with the row.
func parseRecord(kind, id string, b []byte) (queue.Record, error) {
	r := record.NewReader(b, recordVersion)
	parsed := queue.Record{Kind: kind, ID: id, Owner: r.Text(), Expires: r.Time()}
	// An empty value does not become nil, which would delete the record.
	parsed.Value = append([]byte{}, r.Bytes()...)
	parsed.Version = r.Uint()
	return parsed, r.End()
}

// appendEpoch encodes: version. The kind stands in the key.
func appendEpoch(b []byte, version uint64) []byte {
	return binary.AppendUvarint(append(b, epochVersion), version)
}

func parseEpoch(b []byte) (uint64, error) {
	r := record.NewReader(b, epochVersion)
	version := r.Uint()
	return version, r.End()
}
