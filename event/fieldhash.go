// SPDX-License-Identifier: Apache-2.0

package event

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
)

// fieldKeyInfo separates the key of fields from that of Shows.
const fieldKeyInfo = "caddy-webhooks: one field"

// Field hashes the raw JSON value at a path, so that a change is found even in
// a field that may not be kept. Equal values at different paths have different
// hashes, and none equals the hash of a Show; white space and the order of
// members do not count (see [Canonical]).
//
// A hash does not hide a value from an attacker who has the key and can try all
// values: a field with few possible values is better not watched at all.
func (h Hasher) Field(path string, raw []byte) []byte {
	// The key is a separate one, since a Show may be any bytes, even those that
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
