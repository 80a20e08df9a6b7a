// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// Done is what came of a request that was done.
type Done[T any] struct {
	Status int
	Body   T
	// ETag names the state of what was shown or changed, "" if it has none.
	ETag string
}

// Do does what a request asks for, as ServeHTTP does, for a caller who was found out
// elsewhere: for pages that call the API within the process. The request has the path,
// the parameters and the body of one of our own routes. T is what the route answers with:
// one of the views, [Raw], or struct{} for nothing.
//
// Its errors are of the type [*Problem]. Limits hold as for all requests.
func Do[T any](s *Server, caller Caller, r *http.Request) (Done[T], error) {
	a, err := s.do(caller, r)
	if err != nil {
		p, ours := problemOf(err)
		if ours {
			s.options.Log.Error("a request of the callbacks API failed", zap.String("method", r.Method), zap.Error(err))
		}
		return Done[T]{}, p
	}
	done := Done[T]{Status: a.status, ETag: a.header["ETag"]}
	switch body := a.body.(type) {
	case nil:
	case json.RawMessage: // the answer to an earlier request with the same Idempotency-Key
		err = json.Unmarshal(body, &done.Body)
	case T:
		done.Body = body
	default:
		err = fmt.Errorf("the answer is %T, not %T", a.body, done.Body)
	}
	if err != nil {
		s.options.Log.Error("an answer of the callbacks API could not be read", zap.String("method", r.Method), zap.Error(err))
		return Done[T]{}, broken.problem("it was noted")
	}
	return done, nil
}

// do does what a request of a known caller asks for.
func (s *Server) do(caller Caller, r *http.Request) (*answer, error) {
	found := match(s.routes, r.URL.EscapedPath())
	at, do := found.of(r.Method)
	if do == nil || at.shaped != nil {
		return nil, notFound.problem("there is nothing at this path")
	}
	c, err := s.begin(headerOnly{}, r, at)
	if err != nil {
		return nil, err
	}
	if wait := s.limits.caller(caller.Tenant, at.changes(r.Method), c.now); wait > 0 {
		return nil, tooMany.retry(wait, "wait before the next request")
	}
	c.caller = caller
	return do(c)
}

// headerOnly takes what is said to the client of a request that has none.
type headerOnly struct{}

func (headerOnly) Header() http.Header            { return http.Header{} }
func (headerOnly) Write(text []byte) (int, error) { return len(text), nil }
func (headerOnly) WriteHeader(int)                {}

// RetryAfter is when the request may be made again, 0 if that is not known.
func (p *Problem) RetryAfter() time.Duration { return p.after }

// Terms are what an endpoint may be, and must have, and what else holds for tenants.
type Terms struct {
	Offer subscribers.Offer
	// Require are the members that each endpoint must have: label, url, events.
	Require []string
	// Verified is true if no endpoint is made, and no URL changed, without a test.
	Verified bool
	// Keys is true if an API takes the keys that a tenant makes.
	Keys bool
}

// Terms returns what an endpoint may be, and what else holds for tenants.
func (s *Server) Terms() Terms {
	return Terms{Offer: s.options.Policy.Offer, Require: s.options.Require, Verified: !s.options.Unverified, Keys: s.options.Keyed()}
}
