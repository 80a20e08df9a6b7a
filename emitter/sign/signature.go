// SPDX-License-Identifier: Apache-2.0

package sign

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"time"
)

// version begins a signature, so that receivers can pass over those that they
// do not know.
const version = "v1,"

// signatureLength is that of one signature as text.
var signatureLength = len(version) + base64.StdEncoding.EncodedLen(sha256.Size)

// Header returns the value of the webhook-signature header: one signature for
// each secret, separated by spaces. While a secret is being replaced, an
// endpoint has both the new and the old one, and its receiver may accept
// either.
//
// What is signed is "ID.TIMESTAMP.BODY", the timestamp in unix seconds, as the
// webhook-timestamp header has it. The id must not contain a ".", or two
// different messages could have one signature.
func Header(secrets []Secret, id string, at time.Time, body []byte) string {
	prefix := make([]byte, 0, len(id)+24)
	prefix = append(prefix, id...)
	prefix = append(prefix, '.')
	prefix = strconv.AppendInt(prefix, at.Unix(), 10)
	prefix = append(prefix, '.')

	header := make([]byte, 0, len(secrets)*(signatureLength+1))
	for _, secret := range secrets {
		if secret.IsZero() {
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
	h := material.hash()
	defer material.release(h)
	// A hash's Write never fails.
	_, _ = h.Write(prefix)
	_, _ = h.Write(body)
	var sum [sha256.Size]byte
	to = append(to, version...)
	return base64.StdEncoding.AppendEncode(to, h.Sum(sum[:0]))
}
