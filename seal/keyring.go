// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// version is the first byte of every sealed text.
//
//	version 1 byte | key's id 8 bytes | nonce 12 bytes | ciphertext | tag 16 bytes
//
// The version and the key's id are authenticated together with the associated
// data.
const version = 1

const headerLength = 1 + idLength

// Overhead is the number of bytes that sealing adds to a text.
const Overhead = headerLength + 12 + 16

// Keyring seals with one key and opens with several. It is safe for concurrent
// use. It prints as the ids of its keys.
//
// Nonces are random, so one key must not seal more than 2^32 texts (NIST SP
// 800-38D, section 8.3): at a thousand a second that is seven weeks, at one a
// second 136 years. Replace the key before that.
type Keyring struct {
	keys []Key // the current one first
}

// NewKeyring returns a keyring that seals with the current key and opens with
// the previous ones too. A key that is given twice counts once. It fails
// without a current key.
func NewKeyring(current Key, previous ...Key) (*Keyring, error) {
	if current.IsZero() {
		return nil, errors.New("a keyring needs a current key")
	}
	keys := []Key{current}
	for _, key := range previous {
		if key.IsZero() || slices.ContainsFunc(keys, key.Equal) {
			continue
		}
		keys = append(keys, key)
	}
	return &Keyring{keys: keys}, nil
}

// Seal encrypts a text with the current key. The associated data, such as the
// id of the endpoint that a secret belongs to, is not in the result, and the
// result opens only together with it: a sealed text that is moved to another
// endpoint counts as damaged.
func (r *Keyring) Seal(plain, associated []byte) []byte {
	m := r.keys[0].material()
	sealed := make([]byte, 0, len(plain)+Overhead)
	sealed = append(sealed, version)
	sealed = append(sealed, m.id[:]...)
	return m.aead.Seal(sealed, nil, plain, bind(sealed, associated)) //nolint:gosec // G407: this AEAD makes a random nonce by itself
}

// Open decrypts the result of Seal. It is stale if a previous key sealed it:
// seal it again, so that the key can be removed. Errors are [ErrUnknownKey],
// [ErrDamaged] and [ErrNewerFormat].
func (r *Keyring) Open(sealed, associated []byte) (plain []byte, stale bool, err error) {
	if len(sealed) == 0 || sealed[0] == 0 {
		return nil, false, ErrDamaged
	}
	if sealed[0] > version {
		return nil, false, fmt.Errorf("%w: version %d, this one knows %d", ErrNewerFormat, sealed[0], version)
	}
	if len(sealed) < Overhead {
		return nil, false, ErrDamaged
	}
	header := sealed[:headerLength:headerLength]
	known := false
	for i, key := range r.keys {
		m := key.material()
		if !bytes.Equal(m.id[:], header[1:]) {
			continue
		}
		known = true
		plain, err := m.aead.Open(nil, nil, sealed[headerLength:], bind(header, associated))
		if err == nil {
			return plain, i > 0, nil
		}
	}
	if !known {
		return nil, false, fmt.Errorf("%w: its id is %x", ErrUnknownKey, header[1:])
	}
	return nil, false, ErrDamaged
}

// bind joins the header, whose length is fixed, and the associated data.
func bind(header, associated []byte) []byte {
	bound := make([]byte, 0, headerLength+len(associated))
	bound = append(bound, header[:headerLength]...)
	return append(bound, associated...)
}

// Current returns the id of the key that seals.
func (r *Keyring) Current() string {
	return r.keys[0].ID()
}

// String returns the ids of the keys, the current one first.
func (r *Keyring) String() string {
	text := "keyring"
	for _, key := range r.keys {
		text += " " + key.ID()
	}
	return text
}
