// SPDX-License-Identifier: Apache-2.0

package syntax

import (
	"github.com/caddyserver/caddy/v2"
)

// List says how all objects are listed.
type List struct {
	Query

	// Version is the path of the objects' versions in the answer, beside the
	// ids, such as `items.#.updated_at`. Objects whose version is known
	// already are not read again.
	Version string `json:"version,omitempty"`

	// Next is the path in the answer of what leads to the next page: its URL or
	// path, or with NextQuery a cursor. Default: a `Link` header with
	// rel="next" (RFC 8288) is followed.
	Next string `json:"next,omitempty"`

	// NextQuery is the query parameter that takes the cursor from Next. Without
	// Next, it takes the number of the page, from 1.
	NextQuery string `json:"next_query,omitempty"`

	// Every is how often all objects are listed. Default: once, and again to
	// repair a gap.
	Every caddy.Duration `json:"every,omitempty"`

	// Backfill announces the objects of the first complete list as created.
	// Default: they are taken as known.
	Backfill bool `json:"backfill,omitempty"`
}
