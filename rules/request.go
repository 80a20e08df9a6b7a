// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"bytes"
	"io"
	"net/http"
	"net/url"

	"github.com/caddy-webhooks/caddy-webhooks/body"
)

// Request is a request as rules see it. The body is read only if a rule needs it,
// and only up to Limit; the API gets the whole body all the same.
type Request struct {
	// HTTP is the request. Its body is replaced when it is read ahead.
	HTTP *http.Request
	// Method is the method of the request, or the one that overrides it.
	Method string
	// Limit limits how much of the body is read ahead, in bytes.
	Limit int64

	looked bool
	plain  []byte // the body as JSON; nil if it has no structure

	parsed bool
	query  url.Values
}

// JSON returns the request's body as JSON, or nil.
//
// Reading ahead holds the request back until its body has arrived, and answers a
// client that expects "100 Continue" in the API's place (RFC 9110, section
// 10.1.1). Only requests whose path matches a rule with a `request:` value are
// read ahead: nothing but the body shows what they ask for.
func (r *Request) JSON() []byte {
	if r.looked {
		return r.plain
	}
	r.looked = true
	if r.HTTP.Body == nil || r.HTTP.Body == http.NoBody || r.HTTP.ContentLength == 0 {
		return nil
	}
	if r.HTTP.ContentLength > r.Limit {
		return nil
	}
	// An error is no loss: whoever reads on gets it again.
	raw, _ := io.ReadAll(io.LimitReader(r.HTTP.Body, r.Limit+1))
	r.HTTP.Body = &replayed{Reader: io.MultiReader(bytes.NewReader(raw), r.HTTP.Body), Closer: r.HTTP.Body}
	if int64(len(raw)) > r.Limit {
		return nil
	}
	plain, err := body.Decode(raw, r.HTTP.Header.Get("Content-Encoding"))
	if err != nil {
		return nil
	}
	r.plain, err = body.Normalise(plain, r.HTTP.Header.Get("Content-Type"))
	if err != nil {
		r.plain = nil
	}
	return r.plain
}

// replayed is a body whose beginning was read already.
type replayed struct {
	io.Reader
	io.Closer
}

// Text returns the string or number that the request has at v, or "". It does not
// know the placeholders of a path; see [Match.Text].
func (r *Request) Text(v Value) string {
	switch v.Source {
	case FromRequest:
		return body.Scalar(r.JSON(), v.Name)
	case FromQuery:
		if !r.parsed {
			r.query, r.parsed = r.HTTP.URL.Query(), true
		}
		return r.query.Get(v.Name)
	case FromHeader:
		return r.HTTP.Header.Get(v.Name)
	case FromResponse, FromPath, FromLocation:
	}
	return ""
}

// Texts returns all strings and numbers that the request has at v.
func (r *Request) Texts(v Value) []string {
	if v.Source == FromRequest {
		return body.Scalars(r.JSON(), v.Name, MaxKeys)
	}
	if text := r.Text(v); text != "" {
		return []string{text}
	}
	return nil
}
