// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// key verifies the signatures of one secret.
type key struct {
	shared []byte            // version v1
	public ed25519.PublicKey // version v1a
}

// newKey reads a secret: "whsec_…" is shared with the sender, "whpk_…" is the public key
// of a sender that signs with a key of its own. Errors quote nothing of it.
func newKey(secret string) (key, error) {
	if encoded, ok := strings.CutPrefix(secret, "whpk_"); ok {
		public, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(public) != ed25519.PublicKeySize {
			return key{}, fmt.Errorf("a public key must be whpk_ and the base64 of %d bytes", ed25519.PublicKeySize)
		}
		return key{public: public}, nil
	}
	if strings.HasPrefix(secret, "whsk_") {
		return key{}, errors.New("whsk_ is the sender's private key: a receiver needs its public one, whpk_…")
	}
	shared, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(shared) < 24 || len(shared) > 64 {
		return key{}, errors.New("a secret must be whsec_ and the base64 of 24 to 64 bytes")
	}
	return key{shared: shared}, nil
}

// verifies reports whether one of some signatures of a content is this key's.
func (k key) verifies(content []byte, signatures []string) bool {
	version, want := "v1a", []byte(nil)
	if k.public == nil {
		mac := hmac.New(sha256.New, k.shared)
		mac.Write(content)
		version, want = "v1", mac.Sum(nil)
	}
	for _, text := range signatures {
		encoded, ok := strings.CutPrefix(text, version+",")
		if !ok {
			continue // of another version, which may be one of tomorrow
		}
		signature, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			continue
		}
		if k.public != nil && ed25519.Verify(k.public, content, signature) || k.public == nil && hmac.Equal(want, signature) {
			return true
		}
	}
	return false
}
