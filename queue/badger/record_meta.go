// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"encoding/binary"
	"fmt"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

// storeFormat is the version of the keys' layout, and of what keys mean
// together. It changes when an older version of this module could no longer
// read the queue. A change of one record changes that record's own version.
//
// A queue keeps the format that it was made with until it needs a newer one, so
// that earlier versions open it as long as they lose nothing by it. In format 2,
// endpoints of subscribers may be stored, which get nothing from a version that
// knows none.
const (
	firstFormat    = 1
	endpointFormat = 2
	storeFormat    = endpointFormat
)

const metaVersion = 1

// metaName is the name of the meta record.
const metaName = "store"

// metaRecord describes the whole store.
type metaRecord struct {
	Format   uint64
	Instance queue.Instance
}

// appendMeta encodes: format, instance's id, instance's hash key.
func appendMeta(b []byte, m *metaRecord) []byte {
	b = append(b, metaVersion)
	b = binary.AppendUvarint(b, m.Format)
	b = record.AppendText(b, m.Instance.ID[:])
	return record.AppendText(b, m.Instance.HashKey[:])
}

// parseMeta decodes a meta record. It checks the format first, as the rest may
// mean something else in another format.
func parseMeta(b []byte) (metaRecord, error) {
	r := record.NewReader(b, metaVersion)
	m := metaRecord{Format: r.Uint()}
	if r.Err == nil && m.Format > storeFormat {
		return m, fmt.Errorf("%w: store format %d, this one knows %d", queue.ErrNewerFormat, m.Format, storeFormat)
	}
	id, key := r.Bytes(), r.Bytes()
	if err := r.End(); err != nil {
		return m, err
	}
	if len(id) != len(m.Instance.ID) || len(key) != len(m.Instance.HashKey) {
		return m, errDamaged
	}
	copy(m.Instance.ID[:], id)
	copy(m.Instance.HashKey[:], key)
	return m, nil
}
