// SPDX-License-Identifier: Apache-2.0

package sign

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"time"
)

// Versions begin a signature, so that receivers can skip unknown ones.
const (
	sharedVersion  = "v1,"
	privateVersion = "v1a,"
)

// signatureLength is the length of the longest signature as text.
var signatureLength = len(privateVersion) + base64.StdEncoding.EncodedLen(ed25519.SignatureSize)

// Standard signs according to Standard Webhooks 1.0.0, in the header
// webhook-signature: with version v1, an HMAC, for a shared secret, and version
// v1a, ed25519, for a private one.
type Standard struct{}

// Sign implements [Scheme].
func (Standard) Sign(m Message, secrets []Secret, header http.Header) {
	if value := Header(secrets, m.ID, m.At, m.Body); value != "" {
		header["Webhook-Signature"] = []string{value}
	}
}

// Check implements [Scheme].
func (Standard) Check(secrets []Secret) error { return checkSecrets(secrets) }

// Headers implements [Scheme].
func (Standard) Headers() []string { return []string{"Webhook-Signature"} }

// Form implements [Scheme].
func (Standard) Form() string { return "standard" }

// Keys implements [Scheme].
func (Standard) Keys(secrets []Secret) []Secret { return secrets }

// Equal implements [Scheme].
func (Standard) Equal(other Scheme) bool { return other == Scheme(Standard{}) }

// Header returns the value of the webhook-signature header: one signature for
// each secret, separated by spaces. While a secret is being replaced, an
// endpoint has both the new and the old one, and its receiver may accept
// either.
//
// The signed content is "ID.TIMESTAMP.BODY", with the timestamp in unix
// seconds, as in the webhook-timestamp header. The id must not contain a ".",
// or two different messages could have one signature.
func Header(secrets []Secret, id string, at time.Time, body []byte) string {
	prefix := make([]byte, 0, len(id)+24)
	prefix = append(prefix, id...)
	prefix = append(prefix, '.')
	prefix = strconv.AppendInt(prefix, at.Unix(), 10)
	prefix = append(prefix, '.')

	header := make([]byte, 0, len(secrets)*(signatureLength+1))
	for _, secret := range secrets {
		if !secret.signs(at) {
			continue
		}
		if len(header) > 0 {
			header = append(header, ' ')
		}
		header = secret.appendSignature(header, prefix, body)
	}
	return string(header)
}

func (s Secret) appendSignature(to, prefix, body []byte) []byte {
	material := s.material()
	if material.private != nil {
		// Ed25519 hashes its input twice, so it needs the content in one piece.
		content := make([]byte, 0, len(prefix)+len(body))
		content = append(append(content, prefix...), body...)
		to = append(to, privateVersion...)
		return base64.StdEncoding.AppendEncode(to, ed25519.Sign(material.private, content))
	}
	h := material.hash()
	defer material.release(h)
	// A hash's Write never fails.
	_, _ = h.Write(prefix)
	_, _ = h.Write(body)
	var sum [sha256.Size]byte
	to = append(to, sharedVersion...)
	return base64.StdEncoding.AppendEncode(to, h.Sum(sum[:0]))
}
