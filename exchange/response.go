// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/body"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// tee passes a response on as it comes, and keeps what the rules need of it: status
// and some headers, and a copy of the body up to a limit if they need the body. It
// buffers nothing and delays nothing but the last byte of a response whose object
// must be marked first.
//
// It has no Flush and no Hijack: http.ResponseController finds those of the writer
// below through Unwrap.
type tee struct {
	*caddyhttp.ResponseWriterWrapper

	// limit limits the copy of the body, in bytes; 0 means no copy.
	limit int
	// beforeLast are called once, before the last byte of the response is passed
	// on. Of a response without a length, the end is only known when the handler
	// returns; then they are not called.
	beforeLast []func()

	status  int
	answer  captured
	length  int64 // the Content-Length, or -1
	written int64
	// sent counts how often the request was sent.
	sent atomic.Int32
}

// newTee returns a tee to a writer.
func newTee(w http.ResponseWriter) *tee {
	return &tee{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}}
}

// captured is what is kept of a response.
type captured struct {
	body      []byte
	truncated bool   // the body is larger than the limit, and not kept
	encoding  string // the Content-Encoding
	location  string
	etag      string
	kind      string // the Content-Type

	parsed  bool
	decoded []byte // the body without its Content-Encoding
	plain   []byte // the decoded body as JSON; nil if it has no structure
	problem error  // why there is no plain body
}

// needsBody reports whether the body of a response is needed: to find objects in
// it (more), to judge the outcome, for a version, or as the Show.
func needsBody(rule *rules.Rule, more bool) bool {
	return more || rule.ReadsResponse || rule.Resource.Version != "" || rule.Resource.ShowFrom == syntax.ShowFromResponse
}

// json returns the captured body as JSON, whatever structure it came in, or nil.
// The error says why a body is missing. A body without structure is no error.
func (c *captured) json() ([]byte, error) {
	if c.parsed {
		return c.plain, c.problem
	}
	c.parsed = true
	if c.truncated {
		c.problem = errTruncated
		return nil, c.problem
	}
	plain, err := body.Decode(c.body, c.encoding)
	if err != nil {
		c.problem = errUndecodable
		return nil, c.problem
	}
	if plain, c.kind, err = body.Unicode(plain, c.kind); err != nil {
		c.problem = errUndecodable
		return nil, c.problem
	}
	c.decoded = plain
	if c.plain, err = body.Normalise(plain, c.kind); err != nil {
		c.plain = nil
		if !errors.Is(err, body.ErrNoStructure) {
			c.problem = errUndecodable
		}
	}
	return c.plain, c.problem
}

// WriteHeader implements http.ResponseWriter.
func (t *tee) WriteHeader(status int) {
	if t.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		t.begin(status)
	}
	t.ResponseWriterWrapper.WriteHeader(status)
}

// begin takes what is needed of the header before it is passed on: a handler around
// this one, such as encode, changes the same map when it gets the header.
func (t *tee) begin(status int) {
	t.status = status
	header := t.Header()
	t.answer.encoding = header.Get("Content-Encoding")
	t.answer.location = header.Get("Location")
	t.answer.etag = header.Get("Etag")
	t.answer.kind = header.Get("Content-Type")
	t.length = -1
	if n, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64); err == nil {
		t.length = n
	}
	if t.length == 0 || status == http.StatusNoContent || status == http.StatusNotModified {
		t.end()
	}
}

// Write implements http.ResponseWriter.
func (t *tee) Write(p []byte) (int, error) {
	if t.status == 0 {
		t.begin(http.StatusOK)
	}
	if t.limit > 0 && !t.answer.truncated {
		if len(t.answer.body)+len(p) > t.limit {
			t.answer.truncated = true
			t.answer.body = nil
		} else {
			t.answer.body = append(t.answer.body, p...)
		}
	}
	t.written += int64(len(p))
	if t.length >= 0 && t.written >= t.length {
		t.end()
	}
	return t.ResponseWriterWrapper.Write(p)
}

// ReadFrom implements io.ReaderFrom. If nothing of the body is needed, it keeps the
// fast path of the writer below (sendfile).
func (t *tee) ReadFrom(r io.Reader) (int64, error) {
	if t.limit > 0 || len(t.beforeLast) > 0 {
		return io.Copy(struct{ io.Writer }{t}, r)
	}
	if t.status == 0 {
		t.begin(http.StatusOK)
	}
	n, err := t.ResponseWriterWrapper.ReadFrom(r)
	t.written += n
	return n, err
}

// end calls beforeLast, once.
func (t *tee) end() {
	calls := t.beforeLast
	t.beforeLast = nil
	for _, call := range calls {
		call()
	}
}

// Interface guards
var (
	_ http.ResponseWriter = (*tee)(nil)
	_ io.ReaderFrom       = (*tee)(nil)
)
