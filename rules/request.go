// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"bytes"
	"io"
	"net/http"
	"net/url"

	"github.com/caddy-webhooks/caddy-webhooks/body"
)

// Request is a request as the rules see it. The body is read only when a rule
// asks for it, and only so much of it as may be captured; the API gets it
// whole all the same.
type Request struct {
	HTTP *http.Request
	// Method is the request's, or the one that overrides it.
	Method string
	// Limit is how much of the body may be read ahead, in bytes.
	Limit int64

	looked    bool
	raw       []byte
	truncated bool
	plain     []byte // the body as JSON; nil where it has no structure

	parsed bool
	query  url.Values
}

// JSON returns the request's body as JSON, or nil.
//
// Reading ahead holds the request back until its body is here, and answers a
// client that expects "100 Continue" in the API's place (RFC 9110, section
// 10.1.1). Only requests whose path a rule with a `request:` value matches are
// read ahead: nothing else can tell what they ask for before they are
// forwarded.
func (a *Request) JSON() []byte {
	if a.looked {
		return a.plain
	}
	a.looked = true
	if a.HTTP.Body == nil || a.HTTP.Body == http.NoBody || a.HTTP.ContentLength == 0 {
		return nil
	}
	if a.HTTP.ContentLength > a.Limit {
		a.truncated = true
		return nil
	}
	a.raw, _ = io.ReadAll(io.LimitReader(a.HTTP.Body, a.Limit+1))
	// What could not be read fails again for whoever reads on.
	a.HTTP.Body = &replayed{Reader: io.MultiReader(bytes.NewReader(a.raw), a.HTTP.Body), Closer: a.HTTP.Body}
	if int64(len(a.raw)) > a.Limit {
		a.truncated = true
		return nil
	}
	plain, err := body.Decode(a.raw, a.HTTP.Header.Get("Content-Encoding"))
	if err != nil {
		return nil
	}
	a.plain, err = body.Normalise(plain, a.HTTP.Header.Get("Content-Type"))
	if err != nil {
		a.plain = nil
	}
	return a.plain
}

// replayed is a body of which the beginning was read already.
type replayed struct {
	io.Reader
	io.Closer
}

// Text returns the one value that the request has at v, or "".
func (a *Request) Text(v Value) string {
	switch v.Source {
	case FromRequest:
		return body.Scalar(a.JSON(), v.Name)
	case FromQuery:
		if !a.parsed {
			a.query, a.parsed = a.HTTP.URL.Query(), true
		}
		return a.query.Get(v.Name)
	case FromHeader:
		return a.HTTP.Header.Get(v.Name)
	case FromResponse, FromPath, FromLocation:
	}
	return ""
}

// TextOrPath is text for a rule's condition, which may look at the path, and
// for which objects, arrays and booleans of the body are values too.
func (a *Request) TextOrPath(v Value, r *Rule, found *Match) string {
	switch v.Source {
	case FromPath:
		return found.Value(r, v.Name)
	case FromRequest:
		return body.Text(a.JSON(), v.Name)
	case FromResponse, FromQuery, FromHeader, FromLocation:
	}
	return a.Text(v)
}

// Texts returns all values that the request has at v.
func (a *Request) Texts(v Value) []string {
	if v.Source == FromRequest {
		return body.Scalars(a.JSON(), v.Name, MaxKeys)
	}
	if text := a.Text(v); text != "" {
		return []string{text}
	}
	return nil
}
