// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"encoding/binary"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
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
	return record.AppendText(b, c.Sealed)
}

func parseCallback(b []byte) (queue.Callback, error) {
	r := record.NewReader(b, callbackVersion)
	c := queue.Callback{Closed: r.Uint() != 0, Sealed: bytes.Clone(r.Bytes())}
	return c, r.End()
}
