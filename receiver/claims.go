// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"crypto/sha256"
	"encoding/base32"
	"net/http"
	"strings"
)

// committed is how many characters of a hash a webhook-id ends with.
const committed = 26

var hashText = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// claims are the headers that a webhook-id commits to, in the order of its hash.
var claims = []string{"webhook-event", "webhook-object", "webhook-sequence", "webhook-op", "webhook-freshness", "webhook-changed"}

// split returns the parts of a webhook-id: the event's own id, and the hash. Ids of
// other senders, and of events from before there were hashes, have no hash.
func split(webhookID string) (id, hash string) {
	at := len(webhookID) - committed - 1
	if at < len("evt_") || webhookID[at] != '_' || !strings.HasPrefix(webhookID, "evt_") {
		return webhookID, ""
	}
	return webhookID[:at], webhookID[at+1:]
}

// commitment returns the hash of an event's own id and of what the headers say. A
// header that is absent counts as empty.
func commitment(id string, header http.Header) string {
	text := id
	for _, name := range claims {
		text += "\n" + header.Get(name)
	}
	sum := sha256.Sum256([]byte(text))
	return hashText.EncodeToString(sum[:])[:committed]
}
