// SPDX-License-Identifier: Apache-2.0

package syntax

import (
	"github.com/caddyserver/caddy/v2"
)

// Watch says how an object is watched.
type Watch struct {
	// Every is how often an object is looked at. The more of them there are,
	// the less often those are that have not changed for long: `look_rate` is
	// never exceeded. Required.
	Every caddy.Duration `json:"every"`

	// Until is the state in which an object does not change any more. It takes
	// a path in Show. Required: without an end, every object would be looked
	// at for ever.
	Until *Condition `json:"until"`
}
