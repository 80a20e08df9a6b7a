// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"crypto/sha256"
	"encoding/base32"
	"net/http"
	"strings"
)

// hashText writes hashes as webhook-id does.
var hashText = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// claimsHold reports whether the headers that tell what a delivery is are those
// that its webhook-id was made with. The signature covers the id, and the id has
// a hash of these headers; an absent one counts as empty.
func claimsHold(header http.Header) bool {
	id, hash := cutID(header.Get("webhook-id"))
	for _, name := range []string{"event", "object", "sequence", "op", "freshness", "changed"} {
		id += "\n" + header.Get("webhook-"+name)
	}
	sum := sha256.Sum256([]byte(id))
	return hash == hashText.EncodeToString(sum[:])[:26]
}

// cutID returns the parts of a webhook-id: the event's own id, and the hash.
func cutID(webhookID string) (id, hash string) {
	if i := strings.LastIndex(webhookID, "_"); i > len("evt") {
		return webhookID[:i], webhookID[i+1:]
	}
	return webhookID, ""
}
