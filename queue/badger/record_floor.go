// SPDX-License-Identifier: Apache-2.0

package badger

import "encoding/binary"

const floorVersion = 1

// appendFloor encodes: sequence. The resource stands in the key.
func appendFloor(b []byte, sequence uint64) []byte {
	return binary.AppendUvarint(append(b, floorVersion), sequence)
}

// parseFloor decodes the record.
func parseFloor(record []byte) (uint64, error) {
	r := newReader(record, floorVersion)
	sequence := r.uint()
	return sequence, r.end()
}
