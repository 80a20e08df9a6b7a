// SPDX-License-Identifier: Apache-2.0

package sign

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strings"
	"sync"
	"time"
)

// Prefixes begin the text of every secret, so that people and scanners
// recognise a secret in the wrong place. They are those of Standard Webhooks.
const (
	// Prefix begins a secret that both sides have: an HMAC's key.
	Prefix = "whsec_"
	// PrivatePrefix begins a secret that only we have: an ed25519 key.
	PrivatePrefix = "whsk_"
	// PublicPrefix begins the key with which a receiver verifies the latter.
	PublicPrefix = "whpk_"
)

// Limits of a shared secret's key, in bytes, as in Standard Webhooks.
const (
	MinKeyLength = 24
	MaxKeyLength = 64
)

// Limits of the key of an X-Signature, in bytes. It may be a key that an API
// handed out long ago, so the lower limit only excludes texts that are not
// keys.
const (
	MinTextKeyLength = 8
	MaxTextKeyLength = 1024
)

// DefaultOverlap is how long a replaced secret continues to sign beside its
// successor, unless configured otherwise.
const DefaultOverlap = 24 * time.Hour

// redacted stands for a secret wherever one is printed.
const redacted = Prefix + "[redacted]"

// Secret is a key that signs an endpoint's deliveries. The key does not show,
// however it is printed, logged or marshalled. The zero Secret means no secret,
// and signs nothing.
type Secret struct {
	// A function, because fmt prints the unexported fields of a struct that
	// contains a Secret without calling the Secret's methods, and with a verb
	// that does not fit it follows pointers too; of a function it prints only
	// an address.
	material func() *material
	// until is when the secret stops signing; zero is never.
	until time.Time
}

// material is a secret's key and the hashes made with it.
type material struct {
	// key is a shared key; empty if the secret is a private one.
	key     []byte
	private ed25519.PrivateKey
	// hashes keeps prepared HMACs: the two blocks that depend on the key alone
	// cost as much as signing a small body.
	hashes sync.Pool
}

// ParseSecret reads a secret: whsec_BASE64, with the 24 to 64 bytes of a shared
// key, or whsk_BASE64, with the 32 bytes of an ed25519 private key, or with the
// 64 bytes of it and its public key. The base64 is the standard one with
// padding, which every receiver's library decodes. Errors are [ErrBadSecret]
// and never contain any part of the text.
func ParseSecret(text string) (Secret, error) {
	encoded, private := strings.CutPrefix(text, PrivatePrefix)
	encoded, shared := strings.CutPrefix(encoded, Prefix)
	prefix := Prefix
	if private {
		prefix = PrivatePrefix
	}
	switch {
	case text == "":
		return Secret{}, fmt.Errorf("%w: it is empty; is the variable that holds it set?", ErrBadSecret)
	case strings.HasPrefix(text, PublicPrefix):
		return Secret{}, fmt.Errorf("%w: it is a public key, which is the receiver's to verify with; the private one begins with %s", ErrBadSecret, PrivatePrefix)
	case shared == private:
		return Secret{}, fmt.Errorf("%w: it does not begin with %s or %s", ErrBadSecret, Prefix, PrivatePrefix)
	case strings.ContainsAny(encoded, " \t\r\n"):
		return Secret{}, fmt.Errorf("%w: it contains white space", ErrBadSecret)
	case strings.ContainsAny(encoded, "-_"):
		return Secret{}, fmt.Errorf("%w: it is in URL-safe base64; use the standard alphabet, with + and /", ErrBadSecret)
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		// The decoder's own error is left out: it describes the text.
		return Secret{}, fmt.Errorf("%w: what follows %s is not standard base64 with padding", ErrBadSecret, prefix)
	}
	if private {
		return newPrivate(key)
	}
	if len(key) < MinKeyLength || len(key) > MaxKeyLength {
		return Secret{}, fmt.Errorf("%w: it has %d bytes; %d to %d are needed", ErrBadSecret, len(key), MinKeyLength, MaxKeyLength)
	}
	return newSecret(key), nil
}

// ParseKey returns a secret whose key is the text itself, such as an API key,
// for an X-Signature. Errors are [ErrBadSecret] and never contain any part of
// the text.
func ParseKey(text string) (Secret, error) {
	switch {
	case text == "":
		return Secret{}, fmt.Errorf("%w: the key is empty; is the variable that holds it set?", ErrBadSecret)
	case strings.TrimSpace(text) != text:
		return Secret{}, fmt.Errorf("%w: the key begins or ends with white space", ErrBadSecret)
	case len(text) < MinTextKeyLength || len(text) > MaxTextKeyLength:
		return Secret{}, fmt.Errorf("%w: the key has %d bytes; %d to %d are possible", ErrBadSecret, len(text), MinTextKeyLength, MaxTextKeyLength)
	}
	return newSecret([]byte(text)), nil
}

// newPrivate returns the secret of an ed25519 key: its seed, or both of its
// parts, which must match.
func newPrivate(key []byte) (Secret, error) {
	if len(key) != ed25519.SeedSize && len(key) != ed25519.PrivateKeySize {
		return Secret{}, fmt.Errorf("%w: it has %d bytes; an ed25519 key has %d, or %d with its public key",
			ErrBadSecret, len(key), ed25519.SeedSize, ed25519.PrivateKeySize)
	}
	private := ed25519.NewKeyFromSeed(key[:ed25519.SeedSize])
	if len(key) == ed25519.PrivateKeySize && !hmac.Equal(private, key) {
		return Secret{}, fmt.Errorf("%w: its public key is not that of its private one", ErrBadSecret)
	}
	m := &material{private: private}
	return Secret{material: func() *material { return m }}, nil
}

func newSecret(key []byte) Secret {
	m := &material{key: key}
	m.hashes.New = func() any { return hmac.New(sha256.New, m.key) }
	return Secret{material: func() *material { return m }}
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool {
	return s.material == nil
}

// Equal reports whether two secrets sign alike; keys are compared in constant
// time.
func (s Secret) Equal(other Secret) bool {
	if s.IsZero() || other.IsZero() {
		return s.IsZero() && other.IsZero()
	}
	a, b := s.material(), other.material()
	return s.until.Equal(other.until) && hmac.Equal(a.key, b.key) && hmac.Equal(a.private, b.private)
}

// Until returns the secret with an end, from which on it signs nothing. A zero
// time means no end.
func (s Secret) Until(end time.Time) Secret {
	s.until = end
	return s
}

// IsPrivate reports whether only we have the key, and receivers verify with a
// public one.
func (s Secret) IsPrivate() bool {
	return !s.IsZero() && s.material().private != nil
}

// Public returns the key with which receivers verify, as whpk_BASE64; "" if
// they need the secret itself.
func (s Secret) Public() string {
	if !s.IsPrivate() {
		return ""
	}
	return publicText(s.material().publicKey())
}

func publicText(key ed25519.PublicKey) string {
	return PublicPrefix + base64.StdEncoding.EncodeToString(key)
}

// Fingerprint returns a name for the key that reveals nothing about it: 16
// hexadecimal digits, "" for the zero Secret. For a private key it names the
// public one.
func (s Secret) Fingerprint() string {
	if s.IsZero() {
		return ""
	}
	m := s.material()
	named := m.publicKey()
	if named == nil {
		named = m.key
	}
	h := hmac.New(sha256.New, named)
	_, _ = io.WriteString(h, "caddy-webhooks key id")
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// signs reports whether the secret signs at a time.
func (s Secret) signs(at time.Time) bool {
	return !s.IsZero() && (s.until.IsZero() || at.Before(s.until))
}

// String returns a constant in place of the secret.
func (s Secret) String() string {
	return redacted
}

// GoString returns a constant in place of the secret.
func (s Secret) GoString() string {
	return redacted
}

// Format writes a constant in place of the secret, whatever the verb: otherwise
// verbs that are not for strings would print the fields.
func (s Secret) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, redacted)
}

// MarshalText returns a constant in place of the secret. JSON, zap and slog
// call it.
func (s Secret) MarshalText() ([]byte, error) {
	return []byte(redacted), nil
}

// publicKey returns the public part of a private key, nil for a shared one.
func (m *material) publicKey() ed25519.PublicKey {
	if m.private == nil {
		return nil
	}
	return ed25519.PublicKey(m.private[ed25519.SeedSize:])
}

// hash takes a prepared HMAC; release returns it.
func (m *material) hash() hash.Hash {
	return m.hashes.Get().(hash.Hash)
}

func (m *material) release(h hash.Hash) {
	h.Reset()
	m.hashes.Put(h)
}
