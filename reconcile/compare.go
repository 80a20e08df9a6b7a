// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"bytes"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Comparison says what of a Show counts when it is compared with the last. The zero
// Comparison compares all of it.
type Comparison struct {
	// Volatile removes the fields that do not count.
	Volatile event.Projection
	// ID identifies what does not count; "" for nothing.
	ID string
}

// hash returns what a Show is compared by: its hash, and then which fields it
// leaves out.
func (c Comparison) hash(hasher event.Hasher, document event.Document) []byte {
	if c.Volatile.IsZero() {
		return hasher.Show(document)
	}
	counts := document
	if rest, err := c.Volatile.Apply(document.Bytes()); err == nil {
		counts = event.NewDocument(rest)
	}
	suffix := hasher.Show(event.NewDocument([]byte(c.ID)))
	return append(hasher.Show(counts), suffix[:8]...)
}

// sameComparison reports whether two hashes were made by the same Comparison.
func sameComparison(a, b []byte) bool {
	return len(a) == len(b) && (len(a) <= hashSize || bytes.Equal(a[hashSize:], b[hashSize:]))
}

// hashSize is the length of [event.Hasher.Show].
const hashSize = 32
