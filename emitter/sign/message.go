// SPDX-License-Identifier: Apache-2.0

package sign

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MessageSignatures signs according to RFC 9421, HTTP Message Signatures, with
// the endpoint's secrets: hmac-sha256 for a shared one, ed25519 for a private
// one. The body is signed by its Content-Digest (RFC 9530).
//
// A signature always covers the method, the whole target URI, the content type
// if there is one, the digest of the body, webhook-id, and the headers that tell
// what the event is.
type MessageSignatures struct {
	// keyIDs name the keys to verify with, in the order of the secrets.
	keyIDs []string
}

// maxKeyID limits a key's name, in bytes.
const maxKeyID = 256

// NewMessageSignatures returns a scheme whose signatures name their keys by
// these ids, in the order of the endpoint's secrets. A secret without an id is
// named by its [Secret.Fingerprint].
func NewMessageSignatures(keyIDs ...string) (*MessageSignatures, error) {
	for _, id := range keyIDs {
		// The characters that a string of RFC 8941 can hold without escapes.
		ok := id != "" && len(id) <= maxKeyID && strings.IndexFunc(id, func(r rune) bool {
			return r < ' ' || r > '~' || r == '"' || r == '\\'
		}) < 0
		if !ok {
			return nil, fmt.Errorf("%w: key_id %q: write 1 to %d printable ASCII characters without quotes and backslashes", ErrBadScheme, id, maxKeyID)
		}
	}
	return &MessageSignatures{keyIDs: slices.Clone(keyIDs)}, nil
}

// Check implements [Scheme].
func (s *MessageSignatures) Check(secrets []Secret) error {
	if len(s.keyIDs) > len(secrets) {
		return fmt.Errorf("%w: there are %d key ids and %d secrets", ErrBadScheme, len(s.keyIDs), len(secrets))
	}
	return checkSecrets(secrets)
}

// Headers implements [Scheme].
func (s *MessageSignatures) Headers() []string {
	return []string{"Content-Digest", "Signature-Input", "Signature"}
}

// Form implements [Scheme].
func (s *MessageSignatures) Form() string { return fmt.Sprintf("rfc9421 %q", s.keyIDs) }

// Keys implements [Scheme].
func (s *MessageSignatures) Keys(secrets []Secret) []Secret { return secrets }

// Equal implements [Scheme].
func (s *MessageSignatures) Equal(other Scheme) bool {
	o, ok := other.(*MessageSignatures)
	return ok && slices.Equal(s.keyIDs, o.keyIDs)
}

// Sign implements [Scheme].
func (s *MessageSignatures) Sign(m Message, secrets []Secret, header http.Header) {
	digest := contentDigest(m.Body)
	covered := []component{
		{"@method", http.MethodPost},
		{"@target-uri", m.URL.Scheme + "://" + m.URL.Host + m.URL.RequestURI()},
	}
	if m.ContentType != "" {
		// A component that the message does not have cannot be signed.
		covered = append(covered, component{"content-type", m.ContentType})
	}
	covered = append(covered, component{"content-digest", digest}, component{"webhook-id", m.ID})
	for _, field := range m.Header {
		covered = append(covered, component{strings.ToLower(field[0]), field[1]})
	}

	var inputs, signatures []string
	for i, secret := range secrets {
		if !secret.signs(m.At) {
			continue
		}
		params := parameters(covered, m.At, s.keyID(i, secret), secret.messageAlgorithm())
		signature := secret.signMessage(signatureBase(covered, params))
		label := "sig" + strconv.Itoa(i+1)
		inputs = append(inputs, label+"="+params)
		signatures = append(signatures, label+"=:"+base64.StdEncoding.EncodeToString(signature)+":")
	}
	if len(inputs) == 0 {
		return
	}
	header["Content-Digest"] = []string{digest}
	header["Signature-Input"] = []string{strings.Join(inputs, ", ")}
	header["Signature"] = []string{strings.Join(signatures, ", ")}
}

// keyID returns the name of a secret, by its place among the endpoint's.
func (s *MessageSignatures) keyID(i int, secret Secret) string {
	if i < len(s.keyIDs) {
		return s.keyIDs[i]
	}
	return secret.Fingerprint()
}

// component is a part of the message that a signature covers.
type component struct{ name, value string }

// contentDigest is the value of the header Content-Digest of RFC 9530.
func contentDigest(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

// parameters returns a signature's parameters (RFC 9421, section 2.3): the
// covered components, the time, the key and the algorithm. The algorithm may be
// left out.
func parameters(covered []component, at time.Time, keyID, algorithm string) string {
	b := make([]byte, 0, 256)
	b = append(b, '(')
	for i, c := range covered {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(append(append(b, '"'), c.name...), '"')
	}
	b = append(b, ");created="...)
	b = strconv.AppendInt(b, at.Unix(), 10)
	b = append(append(append(b, `;keyid="`...), keyID...), '"')
	if algorithm != "" {
		b = append(append(append(b, `;alg="`...), algorithm...), '"')
	}
	return string(b)
}

// signatureBase returns the bytes to sign (RFC 9421, section 2.5).
func signatureBase(covered []component, parameters string) []byte {
	b := make([]byte, 0, 512)
	for _, c := range covered {
		b = append(append(append(b, '"'), c.name...), `": `...)
		b = append(append(b, strings.TrimSpace(c.value)...), '\n')
	}
	return append(append(b, `"@signature-params": `...), parameters...)
}

func (s Secret) messageAlgorithm() string {
	if s.IsPrivate() {
		return "ed25519"
	}
	return "hmac-sha256"
}

func (s Secret) signMessage(base []byte) []byte {
	m := s.material()
	if m.private != nil {
		return ed25519.Sign(m.private, base)
	}
	h := m.hash()
	defer m.release(h)
	// A hash's Write never fails.
	_, _ = h.Write(base)
	return h.Sum(nil)
}
