// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"errors"
	"net/http"
)

// Person is who looks at the pages.
type Person struct {
	// Tenant is whose endpoints they see. It is empty of operators alone.
	Tenant string
	// Operator is true for those who run this service. They see how it fares and what all
	// tenants have, and no pages of a tenant.
	Operator bool
	// Name says in the audit, and at the top of each page, who it is.
	Name string
	// SteppedUp is true if they have shown a short time ago that it is still them, which
	// secrets need.
	SteppedUp bool
}

// Gate finds out who makes a request. All paths that it gets and gives are below that of
// the dashboard, and begin with a slash: "/account/login".
type Gate interface {
	// Person returns who makes a request. Its errors are [ErrNobody], [*Elsewhere], and
	// those of the queue.
	Person(r *http.Request) (Person, error)
	// StepUp returns the path of the page where a person who has not stepped up does so,
	// and from which they come back to a path.
	StepUp(back string) string
	// Pages serves what is below "/account/": the gate's own pages, as those to log in.
	// It is nil if there are none. The dashboard has checked by then that a request which
	// changes something comes from a page of its own, and has set all headers that keep
	// a page safe.
	Pages() http.Handler
}

// ErrNobody is returned for a request of nobody who is known, where no page of ours helps.
var ErrNobody = errors.New("the request does not say who makes it")

// Elsewhere is returned for a request whose person must see another page first, as to log
// in or to set up a second factor.
type Elsewhere struct { //nolint:errname // it leads on, and is an error only in passing
	// Path is that page's, with its query.
	Path string
}

// Error implements error.
func (e *Elsewhere) Error() string { return "another page comes first: " + e.Path }
