// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"net/http"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// renamed returns the key that the object of an update has now, if the answer shows it
// with another id than the path: it was renamed. Another spelling is the same id.
func (x *exchange) renamed(outcome event.Outcome) (event.Key, bool) {
	if outcome != event.OutcomeChanged || len(x.keys) != 1 || x.byAnswer || !x.match.Rule.TellsName() {
		return event.Key{}, false
	}
	if x.tee.status == http.StatusCreated || x.tee.status == http.StatusAccepted {
		return event.Key{}, false
	}
	parts := x.keys[0].Parts()
	last := len(parts) - 1
	names := x.answered(x.match.Rule.Key[last])
	if len(names) == 0 || strings.EqualFold(names[0], parts[last]) {
		return event.Key{}, false
	}
	parts[last] = names[0]
	key, err := x.match.Rule.Resource.NewKey(parts...)
	return key, err == nil
}
