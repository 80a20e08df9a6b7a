// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"encoding/binary"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

const callbackVersion = 1

// appendCallback encodes: closed, sealed. The object stands in the key.
func appendCallback(b []byte, c *queue.Callback) []byte {
	b = append(b, callbackVersion)
	var closed uint64
	if c.Closed {
		closed = 1
	}
	b = binary.AppendUvarint(b, closed)
	return appendText(b, c.Sealed)
}

func parseCallback(record []byte) (queue.Callback, error) {
	r := newReader(record, callbackVersion)
	c := queue.Callback{Closed: r.uint() != 0, Sealed: bytes.Clone(r.bytes())}
	return c, r.end()
}
