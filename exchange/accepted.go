// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// accepted returns what tells the object of a request that the API has accepted, and
// does later: the Location, if it leads to a Show of the resource, or else the query of
// the rule's `later`. An id in such an answer is that of the job, and no object's.
func (x *exchange) accepted() (event.Key, bool) {
	rule := x.match.Rule
	if rule.Later == nil || x.tee.status != http.StatusAccepted {
		return event.Key{}, false
	}
	if key, ok := x.fromLocation(); ok {
		return key, true
	}
	key, err := x.queryKey(rule.Later, &x.match, event.Key{})
	return key, err == nil
}
