// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"net/http"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// wasCreated reports whether the answer to a rule that does not create says that the
// exchange created an object all the same: 201 says that what its Location names was
// created, or the request's target if it has none (RFC 9110, section 15.3.2). After
// POST /items/42/comments, that is a comment and not the item.
func (x *exchange) wasCreated(key event.Key) bool {
	if x.tee.status != http.StatusCreated {
		return false
	}
	target := x.location()
	switch {
	case x.tee.answer.location == "":
		return x.match.Rule.IsTarget()
	case target == nil:
		return false
	}
	if named, ok := x.match.Rule.Resource.KeyAt(target.EscapedPath(), x.told()); ok {
		return named == key
	}
	// Not the path of a Show, perhaps because clients have another one.
	parts := key.Parts()
	segments := strings.Split(strings.TrimSuffix(target.Path, "/"), "/")
	return x.match.Rule.IsTarget() && segments[len(segments)-1] == parts[len(parts)-1]
}
