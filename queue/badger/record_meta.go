// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"encoding/binary"
	"fmt"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// storeFormat is the version of the layout of keys, and of what they mean
// together. It changes when an older version of this module could no longer
// read the queue; a change of one record has that record's own version.
const storeFormat = 1

const metaVersion = 1

// metaName is the one meta record's name.
const metaName = "store"

// metaRecord says what the whole store is.
type metaRecord struct {
	Format   uint64
	Instance queue.Instance
}

// appendMeta encodes: format, instance's id, instance's hash key.
func appendMeta(b []byte, m *metaRecord) []byte {
	b = append(b, metaVersion)
	b = binary.AppendUvarint(b, m.Format)
	b = appendText(b, m.Instance.ID[:])
	return appendText(b, m.Instance.HashKey[:])
}

// parseMeta decodes a meta record. It looks at the format before anything
// else, as the rest may mean something else in another.
func parseMeta(record []byte) (metaRecord, error) {
	r := newReader(record, metaVersion)
	m := metaRecord{Format: r.uint()}
	if r.err == nil && m.Format > storeFormat {
		return m, fmt.Errorf("%w: store format %d, this one knows %d", queue.ErrNewerFormat, m.Format, storeFormat)
	}
	id, key := r.bytes(), r.bytes()
	if err := r.end(); err != nil {
		return m, err
	}
	if len(id) != len(m.Instance.ID) || len(key) != len(m.Instance.HashKey) {
		return m, errDamaged
	}
	copy(m.Instance.ID[:], id)
	copy(m.Instance.HashKey[:], key)
	return m, nil
}
