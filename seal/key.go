// SPDX-License-Identifier: Apache-2.0

// Package seal encrypts secrets that have to be stored: endpoints' secrets and
// credentials, and receivers that a request named. Only the owner of the key
// can read a sealed text or put one in the place of another.
//
// The cipher is AES-256-GCM with a random nonce. Each sealed text names its
// key, so that keys can be replaced: a [Keyring] seals with the current key,
// opens with the previous ones too, and reports which texts should be sealed
// again.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// KeyLength is the length of a key, in bytes: that of AES-256.
const KeyLength = 32

// idLength is the length of a key's id, in bytes. Ids only choose among the few
// keys of a keyring; a collision costs one failed attempt.
const idLength = 8

// redacted stands for a key wherever one is printed.
const redacted = "[redacted key]"

// Key is a key of a keyring. Its bytes do not show, however it is printed,
// logged or marshalled. The zero Key means no key.
type Key struct {
	// A function, because fmt prints the unexported fields of a struct that
	// contains a Key without calling the Key's methods; of a function it prints
	// only an address.
	material func() *material
}

// material is a key's bytes and the values computed from them once.
type material struct {
	bytes [KeyLength]byte
	id    [idLength]byte
	aead  cipher.AEAD
}

// ParseKey reads a key from the base64, with padding, of 32 bytes. White space
// around it is ignored, as a file ends with a newline. Errors are [ErrBadKey]
// and never contain any part of the text.
func ParseKey(text string) (Key, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return Key{}, fmt.Errorf("%w: it is empty; is the variable or file that holds it there?", ErrBadKey)
	}
	bytes, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		// The decoder's own error is left out: it describes the text.
		return Key{}, fmt.Errorf("%w: it is not standard base64 with padding; make one with `openssl rand -base64 32`", ErrBadKey)
	}
	if len(bytes) != KeyLength {
		return Key{}, fmt.Errorf("%w: it has %d bytes, and AES-256 needs %d; make one with `openssl rand -base64 32`", ErrBadKey, len(bytes), KeyLength)
	}
	return newKey([KeyLength]byte(bytes)), nil
}

// NewKey makes a random key.
func NewKey() Key {
	var bytes [KeyLength]byte
	// crypto/rand.Read never fails.
	_, _ = rand.Read(bytes[:])
	return newKey(bytes)
}

func newKey(bytes [KeyLength]byte) Key {
	m := &material{bytes: bytes}
	// The id is stored beside the texts that the key protects. It is a hash of
	// 256 random bits, so it reveals nothing.
	sum := sha256.Sum256(append([]byte("caddy-webhooks key id\x00"), bytes[:]...))
	copy(m.id[:], sum[:])
	block, err := aes.NewCipher(bytes[:])
	if err == nil {
		m.aead, err = cipher.NewGCMWithRandomNonce(block)
	}
	if err != nil {
		// Neither fails for a key of this length.
		panic("seal: " + err.Error())
	}
	return Key{material: func() *material { return m }}
}

// IsZero reports whether there is no key.
func (k Key) IsZero() bool {
	return k.material == nil
}

// ID returns the id by which a sealed text names its key. It is not secret.
func (k Key) ID() string {
	if k.IsZero() {
		return ""
	}
	return hex.EncodeToString(k.material().id[:])
}

// Equal reports, in constant time, whether two keys are the same.
func (k Key) Equal(other Key) bool {
	if k.IsZero() || other.IsZero() {
		return k.IsZero() && other.IsZero()
	}
	return subtle.ConstantTimeCompare(k.material().bytes[:], other.material().bytes[:]) == 1
}

// Reveal returns the text that [ParseKey] reads, for the one place that stores
// a key which is in no configuration.
func (k Key) Reveal() string {
	if k.IsZero() {
		return ""
	}
	return base64.StdEncoding.EncodeToString(k.material().bytes[:])
}

// String returns a constant instead of the key.
func (k Key) String() string {
	return redacted
}

// GoString returns a constant instead of the key.
func (k Key) GoString() string {
	return redacted
}

// Format writes a constant instead of the key, whatever the verb.
func (k Key) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, redacted)
}

// MarshalText returns a constant instead of the key. JSON, zap and slog call
// it.
func (k Key) MarshalText() ([]byte, error) {
	return []byte(redacted), nil
}
