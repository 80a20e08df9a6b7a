// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// etag returns the entity tag of a state of an endpoint. Its version itself counts the
// changes of all tenants, and is no one tenant's to know.
func (c *call) etag(e *subscribers.Endpoint) string {
	key := c.store.Instance().HashKey
	h := hmac.New(sha256.New, key[:])
	fmt.Fprintf(h, "callbacks etag\x00%s\x00%d", e.ID, e.Version)
	return `"` + base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:12]) + `"`
}

// expected returns the version that a change of an endpoint expects by If-Match, any
// if there is none.
func (c *call) expected(e *subscribers.Endpoint) (uint64, error) {
	given := strings.Join(c.r.Header.Values("If-Match"), ",")
	if given == "" {
		return queue.AnyVersion, nil
	}
	for tag := range strings.SplitSeq(given, ",") {
		// A weak tag matches nothing here (RFC 9110, section 13.1.1).
		if tag = strings.TrimSpace(tag); tag == "*" || tag == c.etag(e) {
			return e.Version, nil
		}
	}
	return 0, subscribers.ErrChanged
}

// unmodified reports whether If-None-Match names the present state of an endpoint.
func (c *call) unmodified(e *subscribers.Endpoint) bool {
	for tag := range strings.SplitSeq(strings.Join(c.r.Header.Values("If-None-Match"), ","), ",") {
		if tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/"); tag == "*" || tag == c.etag(e) {
			return true
		}
	}
	return false
}
