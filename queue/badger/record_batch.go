// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"encoding/binary"

	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

const batchVersion = 1

// batchName is the name of the meta record that holds the number of the last
// batch.
const batchName = "batch"

// batchKey is the key of the record.
var batchKey = append([]byte{kindMeta}, batchName...)

// appendBatchNumber encodes: number.
func appendBatchNumber(b []byte, number uint64) []byte {
	return binary.AppendUvarint(append(b, batchVersion), number)
}

// parseBatchNumber decodes the record.
func parseBatchNumber(b []byte) (uint64, error) {
	r := record.NewReader(b, batchVersion)
	number := r.Uint()
	return number, r.End()
}
