// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"bytes"
	"io"
	"net/http"
	"net/url"

	"github.com/caddy-webhooks/caddy-webhooks/body"
)

// asked is a request as the rules see it. The body is read only when a rule
// asks for it, and only so much of it as may be captured; the API gets it
// whole all the same.
type asked struct {
	r *http.Request
	// method is the request's, or the one that overrides it.
	method string
	// limit is how much of the body may be read ahead, in bytes.
	limit int64

	looked    bool
	raw       []byte
	truncated bool
	plain     []byte // the body as JSON; nil where it has no structure

	parsed bool
	query  url.Values
}

// json returns the request's body as JSON, or nil.
//
// Reading ahead holds the request back until its body is here, and answers a
// client that expects "100 Continue" in the API's place (RFC 9110, section
// 10.1.1). Only requests whose path a rule with a `request:` value matches are
// read ahead: nothing else can tell what they ask for before they are
// forwarded.
func (a *asked) json() []byte {
	if a.looked {
		return a.plain
	}
	a.looked = true
	if a.r.Body == nil || a.r.Body == http.NoBody || a.r.ContentLength == 0 {
		return nil
	}
	if a.r.ContentLength > a.limit {
		a.truncated = true
		return nil
	}
	a.raw, _ = io.ReadAll(io.LimitReader(a.r.Body, a.limit+1))
	// What could not be read fails again for whoever reads on.
	a.r.Body = &replayed{Reader: io.MultiReader(bytes.NewReader(a.raw), a.r.Body), Closer: a.r.Body}
	if int64(len(a.raw)) > a.limit {
		a.truncated = true
		return nil
	}
	plain, err := body.Decode(a.raw, a.r.Header.Get("Content-Encoding"))
	if err != nil {
		return nil
	}
	a.plain, err = body.Normalise(plain, a.r.Header.Get("Content-Type"))
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

// text returns the one value that the request has at v, or "".
func (a *asked) text(v value) string {
	switch v.source {
	case fromRequest:
		return body.Scalar(a.json(), v.name)
	case fromQuery:
		if !a.parsed {
			a.query, a.parsed = a.r.URL.Query(), true
		}
		return a.query.Get(v.name)
	case fromHeader:
		return a.r.Header.Get(v.name)
	case fromResponse, fromPath, fromLocation:
	}
	return ""
}

// textOrPath is text for a rule's condition, which may look at the path, and
// for which objects, arrays and booleans of the body are values too.
func (a *asked) textOrPath(v value, r *rule, found *match) string {
	switch v.source {
	case fromPath:
		return found.value(r, v.name)
	case fromRequest:
		return body.Text(a.json(), v.name)
	case fromResponse, fromQuery, fromHeader, fromLocation:
	}
	return a.text(v)
}

// texts returns all values that the request has at v.
func (a *asked) texts(v value) []string {
	if v.source == fromRequest {
		return body.Scalars(a.json(), v.name, maxKeys)
	}
	if text := a.text(v); text != "" {
		return []string{text}
	}
	return nil
}
