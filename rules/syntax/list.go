// SPDX-License-Identifier: Apache-2.0

package syntax

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
)

// What a List can count.
const (
	CountPages   = "pages"
	CountObjects = "objects"
)

// List says how all objects are listed. Where the API lists them only by what they belong
// to, parts of the `parent`'s key stand in the request, as in `/projects/:project/tasks`:
// it is asked for once for each object that the list of the parents has.
type List struct {
	Query

	// Version is the path of the objects' versions in the answer, beside the
	// ids, such as `items.#.updated_at`. Objects whose version is known
	// already are not read again.
	Version string `json:"version,omitempty"`

	// Next is where the answer has what leads to the next page: a path in its body,
	// or `header:NAME`. It is the page's URL or path, or, if NextQuery or `{next}`
	// in the request takes it, a token. Default: a `Link` header with rel="next"
	// (RFC 8288) is followed.
	Next string `json:"next,omitempty"`

	// NextQuery is the query parameter that takes what leads to a page: the token
	// from Next or, without Next, what is counted. Where the API takes it elsewhere,
	// as in a body, the request has `{next}` there. For the first page, where there
	// is no token yet, that is left out, and is null in JSON.
	NextQuery string `json:"next_query,omitempty"`

	// Counts is what leads to a page if the API does not say so: `pages`, or the
	// `objects` on the pages before, as an offset. Default: `pages`, if there is
	// NextQuery without Next.
	Counts string `json:"counts,omitempty"`

	// From is what counting begins with. Default: 1 for pages, 0 for objects.
	From *int `json:"from,omitempty"`

	// Every is how often all objects are listed. Default: once, and again to
	// repair a gap.
	Every caddy.Duration `json:"every,omitempty"`

	// Backfill announces the objects of the first complete list as created.
	// Default: they are taken as known.
	Backfill bool `json:"backfill,omitempty"`
}

// Digest tells lists apart by what they ask for and how they read it.
func (l List) Digest() string {
	l.Every = 0
	text, err := json.Marshal(l)
	if err != nil {
		return "" // strings, numbers and maps of strings have a form in JSON
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}
