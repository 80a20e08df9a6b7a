// SPDX-License-Identifier: Apache-2.0

package event

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
)

// Hasher makes keyed hashes of Shows. A snapshot keeps the hash and not the
// Show, so changes are found without storing customers' data; without the key,
// nobody can test a guess at the hashed data.
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

// idEncoding has no "." and no letters that are easily confused in a log.
var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// ID derives an event's id from everything that makes the event: the queue, the
// object, the place in its sequence, the type and the state (the Show's hash;
// nil if the object is gone). If the same change is found twice, as after a
// power cut that undid an acknowledged commit, the id is the same; a different
// state never has the same id.
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

// SnapshotID derives the id of an event that tells an endpoint how an object is, from
// all that makes an event, the endpoint and the run of its snapshot. Within a run, an
// object in one state has one id, however often it is begun again.
func SnapshotID(instance [16]byte, endpoint, run string, key Key, sequence uint64, hash []byte) string {
	// No event type holds a space.
	return ID(instance, key, sequence, "snapshot "+endpoint+" "+run, hash)
}
