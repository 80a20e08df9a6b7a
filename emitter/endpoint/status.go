// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"fmt"

	"github.com/caddy-webhooks/caddy-webhooks/internal/httpstatus"
)

// Statuses says which HTTP statuses of a receiver mean that it took the event.
// The zero Statuses is 2xx.
type Statuses struct {
	set httpstatus.Set
}

// ParseStatuses compiles statuses: a code such as "204" for itself, or a class
// such as "2xx". Without any it returns the zero Statuses. Errors are
// [ErrBadEndpoint].
func ParseStatuses(texts ...string) (Statuses, error) {
	set, err := httpstatus.Parse(texts...)
	if err != nil {
		return Statuses{}, fmt.Errorf("%w: success %w", ErrBadEndpoint, err)
	}
	return Statuses{set}, nil
}

// Match reports whether a status means success.
func (s Statuses) Match(code int) bool {
	if s.set.IsZero() {
		return code >= 200 && code <= 299
	}
	return s.set.Match(code)
}

// Named reports whether a code is listed by itself, not just its class.
func (s Statuses) Named(code int) bool {
	return s.set.Named(code)
}

// String returns the statuses as the Caddyfile has them.
func (s Statuses) String() string {
	if s.set.IsZero() {
		return "2xx"
	}
	return s.set.String()
}

// Equal reports whether two let the same statuses through, as they are written.
func (s Statuses) Equal(other Statuses) bool {
	return s.String() == other.String()
}
