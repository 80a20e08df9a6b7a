// SPDX-License-Identifier: Apache-2.0

package sign

import (
	"crypto/ed25519"
	"slices"
	"time"
)

// PublicKey is a key with which receivers verify signatures of ed25519: those of Standard
// Webhooks with version v1a, and those of RFC 9421.
type PublicKey struct {
	// ID is what signatures of RFC 9421 call the key; those of Standard Webhooks name none.
	ID  string
	Key ed25519.PublicKey
	// Until is when it verifies nothing more, zero for never.
	Until time.Time
}

// String returns the key as whpk_BASE64.
func (k PublicKey) String() string { return publicText(k.Key) }

// PublicKeys returns the keys with which receivers verify what is signed in some ways with
// some secrets from a time on. Nil schemes are [Standard] alone, as of an endpoint.
func PublicKeys(schemes []Scheme, secrets []Secret, now time.Time) (keys []PublicKey) {
	if schemes == nil {
		schemes = []Scheme{Standard{}}
	}
	add := func(id string, secret Secret) {
		if !slices.ContainsFunc(keys, func(k PublicKey) bool { return k.ID == id }) {
			keys = append(keys, PublicKey{id, secret.material().publicKey(), secret.until})
		}
	}
	for i, secret := range secrets {
		if !secret.IsPrivate() || !secret.signs(now) {
			continue
		}
		for _, scheme := range schemes {
			switch scheme := scheme.(type) {
			case Standard:
				add(secret.Fingerprint(), secret)
			case *MessageSignatures:
				add(scheme.keyID(i, secret), secret)
			}
		}
	}
	return keys
}
