// SPDX-License-Identifier: Apache-2.0

// Package sign makes the signatures by which a receiver tells our deliveries
// from forged ones: version v1 of Standard Webhooks 1.0.0, an HMAC with
// SHA-256 over the event's id, the attempt's time and the exact bytes sent.
package sign

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"io"
	"strings"
	"sync"
)

// Prefix begins the text of every secret, so that a secret in the wrong place
// is recognised, by people and by scanners.
const Prefix = "whsec_"

// Bounds of a secret's key, in bytes, as Standard Webhooks has them.
const (
	MinKeyLength = 24
	MaxKeyLength = 64
)

// redacted stands for a secret wherever one is printed.
const redacted = Prefix + "[redacted]"

// Secret is a key that an endpoint shares with its receiver. However it is
// printed, logged or marshalled, the key does not show. The zero Secret is
// none, and signs nothing.
type Secret struct {
	// A function, because fmt prints the unexported fields of a struct around
	// a Secret without asking the Secret, and with a verb that does not fit it
	// follows pointers too: all it finds in a function is an address.
	material func() *material
}

// material is a secret's key and the hashes made with it.
type material struct {
	key []byte
	// hashes keeps prepared HMACs: the two blocks that depend on the key alone
	// cost as much as signing a small body.
	hashes sync.Pool
}

// ParseSecret reads a secret in the form whsec_BASE64, with 24 to 64 bytes in
// standard base64 with padding: what every receiver's library decodes. Its
// errors are [ErrBadSecret] and never contain any part of the text.
func ParseSecret(text string) (Secret, error) {
	encoded, ok := strings.CutPrefix(text, Prefix)
	switch {
	case text == "":
		return Secret{}, fmt.Errorf("%w: it is empty; is the variable that holds it set?", ErrBadSecret)
	case !ok:
		return Secret{}, fmt.Errorf("%w: it does not begin with %s", ErrBadSecret, Prefix)
	case strings.ContainsAny(encoded, " \t\r\n"):
		return Secret{}, fmt.Errorf("%w: it contains white space", ErrBadSecret)
	case strings.ContainsAny(encoded, "-_"):
		return Secret{}, fmt.Errorf("%w: it is in URL-safe base64; use the standard alphabet, with + and /", ErrBadSecret)
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		// The decoder's own words are left out: they describe the text.
		return Secret{}, fmt.Errorf("%w: what follows %s is not standard base64 with padding", ErrBadSecret, Prefix)
	}
	if len(key) < MinKeyLength || len(key) > MaxKeyLength {
		return Secret{}, fmt.Errorf("%w: it has %d bytes; %d to %d are needed", ErrBadSecret, len(key), MinKeyLength, MaxKeyLength)
	}
	return newSecret(key), nil
}

func newSecret(key []byte) Secret {
	m := &material{key: key}
	m.hashes.New = func() any { return hmac.New(sha256.New, m.key) }
	return Secret{material: func() *material { return m }}
}

// IsZero tells whether there is no secret.
func (s Secret) IsZero() bool {
	return s.material == nil
}

// Equal tells, in constant time, whether two secrets have the same key.
func (s Secret) Equal(other Secret) bool {
	if s.IsZero() || other.IsZero() {
		return s.IsZero() && other.IsZero()
	}
	return hmac.Equal(s.material().key, other.material().key)
}

// String returns a constant in place of the secret.
func (s Secret) String() string {
	return redacted
}

// GoString returns a constant in place of the secret.
func (s Secret) GoString() string {
	return redacted
}

// Format writes a constant in place of the secret, whatever the verb: without
// it, verbs that do not ask for a string would print the fields.
func (s Secret) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, redacted)
}

// MarshalText returns a constant in place of the secret. JSON, zap and slog
// ask for it.
func (s Secret) MarshalText() ([]byte, error) {
	return []byte(redacted), nil
}

// hash takes a prepared HMAC; release gives it back.
func (m *material) hash() hash.Hash {
	return m.hashes.Get().(hash.Hash)
}

func (m *material) release(h hash.Hash) {
	h.Reset()
	m.hashes.Put(h)
}
