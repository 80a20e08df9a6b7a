// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"net/http"
)

// Freeze fixes what rules see of the request, and returns the request to pass on.
// Handlers that come later change it where it is, as `uri strip_prefix`, `method` and
// `request_header` do, and the proxy reads its body; but what the exchange means was
// decided when it began. If some rule looks into the body when the exchange has ended,
// the body must be read before: see [Rule.ReadAhead].
func (r *Request) Freeze() *http.Request {
	passed := r.HTTP
	fixed := passed.WithContext(passed.Context())
	target := *passed.URL
	fixed.URL, fixed.Header, fixed.Body = &target, passed.Header.Clone(), http.NoBody
	r.HTTP, r.looked = fixed, true
	return passed
}

// ReadAhead reads the request's body, if the rule takes anything of it. A response
// may be needed first for what is taken with it, and then the body is gone.
func (r *Rule) ReadAhead(request *Request) {
	if r.readsRequest() {
		// What is wrong with the body is said where a value of it is needed.
		_, _ = request.read()
	}
}

// readsRequest reports whether the rule takes a value of the request's body.
func (r *Rule) readsRequest() bool {
	for i := range r.Key {
		if fromBody(r.Key[i].Request) {
			return true
		}
	}
	for i := range r.Touches {
		if t := &r.Touches[i]; fromBody(t.Places) || t.Via.readsRequest() {
			return true
		}
	}
	return r.Find.readsRequest() || r.Later.readsRequest()
}

// readsRequest reports whether the query takes a value of the request's body. It may
// be nil.
func (q *Query) readsRequest() bool {
	return q != nil && fromBody(q.Values)
}

// fromBody reports whether one of some values stands in the request's body.
func fromBody(values []Value) bool {
	for _, v := range values {
		if v.Source == FromRequest {
			return true
		}
	}
	return false
}
