// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Caller is who asks.
type Caller struct {
	// Tenant is whose endpoints they are; "" is the operator.
	Tenant string
	// Name says in the audit who it was, such as the name of a key.
	Name string
	// Until is when its credential ends; zero if it does not, or nobody knows.
	Until time.Time
}

// Authorize finds out who makes a request, whose path values are the names in its
// route. Its errors are [ErrNobody], [ErrRefused] or those of the queue.
type Authorize func(r *http.Request, store queue.Store) (Caller, error)

var (
	// ErrNobody is returned for a request that does not say who makes it.
	ErrNobody = errors.New("the request has no credential")
	// ErrRefused is returned for a credential that is not valid. Too many of them from
	// one address end in an answer 429.
	ErrRefused = errors.New("the credential is not valid")
)

// heldKey is the key of the context of a request from an address from which too many
// credentials were not valid.
type heldKey struct{}

func held(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), heldKey{}, true))
}

// isHeld reports whether a credential of a request must not be tried where it can be
// guessed. One that is known to be valid goes on: many callers may have one address, as
// behind a proxy, and none of them is to lock out the others.
func isHeld(r *http.Request) bool { return r.Context().Value(heldKey{}) != nil }

// authorize returns who asks a route, by the first way that knows it, within the limits
// of callers.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request, at *matched, store queue.Store, now time.Time) (Caller, error) {
	ways := at.authorize
	if len(ways) == 0 {
		ways = s.options.Authorize
	}
	from := s.options.Client(r)
	wait := s.limits.failing(from, now)
	if wait > 0 {
		r = held(r)
	}
	refused, unseen := false, false
	for _, authorize := range ways {
		caller, err := authorize(r, store)
		switch {
		case err == nil:
			if wait := s.limits.caller(caller.Tenant, at.changes(r.Method), now); wait > 0 {
				return Caller{}, tooMany.retry(wait, "wait before the next request")
			}
			return caller, nil
		case errors.Is(err, ErrRefused):
			refused, unseen = true, unseen || errors.Is(err, errUnseen)
			if asked := (*challenged)(nil); errors.As(err, &asked) {
				w.Header()["Www-Authenticate"] = asked.with
			}
		case !errors.Is(err, ErrNobody):
			return Caller{}, err
		}
	}
	if refused && wait > 0 {
		return Caller{}, tooMany.retry(wait, "too many credentials from this address were not valid")
	}
	if refused {
		s.limits.failed(from, now)
	}
	if unseen {
		w.Header().Del("WWW-Authenticate")
		return Caller{}, queue.ErrNotFound
	}
	if w.Header().Get("WWW-Authenticate") == "" {
		w.Header().Set("WWW-Authenticate", `Bearer realm="webhooks"`)
	}
	if refused {
		return Caller{}, unauthenticated.problem("the credential is not valid, or has expired")
	}
	return Caller{}, unauthenticated.problem("send a credential")
}
