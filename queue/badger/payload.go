// SPDX-License-Identifier: Apache-2.0

package badger

import "bytes"

// Payloads above partSize are stored in parts. Badger keeps values of up to 1
// MiB beside their keys, and larger ones in a value log that only shrinks when
// its garbage is collected. Parts keep all values small, so that their
// time-to-live is enough to remove them.
const (
	partSize = 512 << 10
	// maxParts limits what a damaged record can have read.
	maxParts = 1 << 10
)

// splitPayload moves the payload of the newest of a commit's events into parts,
// if it is large, and returns them. An earlier event with the same payload
// shares its parts.
func splitPayload(events []eventRecord) [][]byte {
	newest := &events[len(events)-1]
	size := len(newest.Payload)
	if size <= partSize {
		return nil
	}
	newest.Parts = (size + partSize - 1) / partSize
	for i := range len(events) - 1 {
		if earlier := &events[i]; earlier.Parts > 0 && earlier.Back == 0 && bytes.Equal(earlier.Payload, newest.Payload) {
			newest.Back = uint64(len(events) - 1 - i)
			return nil
		}
	}
	parts := make([][]byte, 0, newest.Parts)
	for rest := newest.Payload; len(rest) > 0; {
		n := min(len(rest), partSize)
		parts = append(parts, bytes.Clone(rest[:n]))
		rest = rest[n:]
	}
	return parts
}
