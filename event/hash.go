// SPDX-License-Identifier: Apache-2.0

package event

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
)

// Hasher makes keyed hashes of Shows. A snapshot keeps the hash and not the
// Show, so changes are found without keeping customers' data; the key makes
// it useless to guess at what was hashed.
type Hasher struct {
	key []byte
}

// NewHasher returns a Hasher with the queue's key.
func NewHasher(key [32]byte) Hasher {
	return Hasher{key: key[:]}
}

// Show hashes a Show in its canonical form (see [Canonical]).
func (h Hasher) Show(show Document) []byte {
	mac := hmac.New(sha256.New, h.key)
	mac.Write(show.Canonical())
	return mac.Sum(nil)
}

// idEncoding has no "." and no letters that a log viewer could confuse.
var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// ID derives an event's id from what makes the event: the queue, the object,
// the place in its sequence, the type and the state (the Show's hash, nil when
// gone). The same change found twice, as after a power cut that took back an
// acknowledgement, has the same id; a different state never does.
func ID(instance [16]byte, key Key, sequence uint64, eventType string, hash []byte) string {
	sum := sha256.New()
	sum.Write(instance[:])
	var number [8]byte
	for _, field := range []string{key.Resource, key.ID, eventType} {
		binary.BigEndian.PutUint64(number[:], uint64(len(field)))
		sum.Write(number[:])
		sum.Write([]byte(field))
	}
	binary.BigEndian.PutUint64(number[:], sequence)
	sum.Write(number[:])
	sum.Write(hash)
	return "evt_" + idEncoding.EncodeToString(sum.Sum(nil)[:20])
}
