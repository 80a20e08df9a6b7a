// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"encoding/binary"

	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

const floorVersion = 1

// appendFloor encodes: sequence. The resource stands in the key.
func appendFloor(b []byte, sequence uint64) []byte {
	return binary.AppendUvarint(append(b, floorVersion), sequence)
}

// parseFloor decodes the record.
func parseFloor(b []byte) (uint64, error) {
	r := record.NewReader(b, floorVersion)
	sequence := r.Uint()
	return sequence, r.End()
}
