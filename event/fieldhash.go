// SPDX-License-Identifier: Apache-2.0

package event

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
)

// fieldKeyInfo tells the key of fields from that of Shows.
const fieldKeyInfo = "caddy-webhooks: one field"

// Field hashes the raw JSON value at a path, so that a change of a field that
// may not be kept is found all the same. Equal values at different paths have
// different hashes, and none equals the hash of a Show; white space and the
// order of members do not count (see [Canonical]).
//
// A hash does not hide a value from who has the key and can try all values: a
// field of few values is better not watched at all.
func (h Hasher) Field(path string, raw []byte) []byte {
	// The key is of its own, since a Show may be any bytes, also those that
	// would be hashed here. Deriving a key of this length cannot fail.
	key, err := hkdf.Key(sha256.New, h.key, nil, fieldKeyInfo, sha256.Size)
	if err != nil {
		return nil
	}
	mac := hmac.New(sha256.New, key)
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(path)))
	mac.Write(length[:])
	mac.Write([]byte(path))
	mac.Write(Canonical(raw))
	return mac.Sum(nil)
}
