// SPDX-License-Identifier: Apache-2.0

// Package show reads objects' Shows from the API, through compiled Caddy
// routes. The operator says where the API is in the words of reverse_proxy, and
// a Show can be read in the background and after a restart, long after the
// exchange that caused it.
package show

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/body"
	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// MaxBody is the size of the largest Show that is accepted, in bytes. A Show
// becomes the payload of deliveries and is stored once for each event.
const MaxBody = 4 << 20

// DefaultTimeout limits one reading of a Show.
const DefaultTimeout = 15 * time.Second

var (
	// ErrTooLarge is returned for a Show of more than [MaxBody] bytes.
	ErrTooLarge = errors.New("the Show is larger than 4 MiB")
	// ErrCut is returned if the API's answer broke off.
	ErrCut = errors.New("the API cut its answer short")
)

// Show is the API's answer.
type Show struct {
	// Status is the HTTP status.
	Status int
	// Header is the answer's header.
	Header http.Header
	// Body is the answer's body.
	Body []byte
	// Redirect is where the answer was found, if Show was redirected.
	Redirect Redirect
}

// Redirect is where the redirects of a Show lead.
type Redirect struct {
	// Path is the escaped path at their end, "" for none.
	Path string
	// Permanent is true if all of them are for good (301 and 308).
	Permanent bool
	// Elsewhere is true if Path is not that of a Show: then the answer names an
	// object, and is nobody's Show.
	Elsewhere bool
}

// Request is a request for a Show.
type Request struct {
	// Method is the HTTP method, and Path the escaped path with its query.
	Method string
	Path   string
	// Header is added to the headers that every request has. It may be nil.
	Header http.Header
	// Body is the request's body; nil for none.
	Body []byte
	// Object is the object that the request is about, zero for none. It decides
	// under which name the API is asked; see [Fronts].
	Object event.Key
}

// Upstream is where Shows are read.
type Upstream struct {
	// Handler answers requests as the API does; usually a reverse_proxy.
	Handler caddyhttp.Handler
	// Fronts knows the names under which the API is asked. Default: that of its
	// address.
	Fronts *Fronts
	// Timeout limits one reading. Default: [DefaultTimeout].
	Timeout time.Duration
}

// backgroundServer stands in for the server of a request that no client sent.
// PrepareRequest and reverse_proxy look into it; nil would make them panic.
var backgroundServer = new(caddyhttp.Server)

// Read sends a request for a Show and returns the API's answer, whatever its
// status. It returns an error if there was no complete answer.
func (u *Upstream) Read(ctx context.Context, asked Request) (_ Show, err error) {
	timeout := u.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	r, err := newRequest(ctx, asked)
	if err != nil {
		return Show{}, err
	}
	u.Fronts.Of(asked.Object).apply(r)
	w := &recorder{header: make(http.Header)}
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, backgroundServer)
	trust(r)

	// reverse_proxy panics with ErrAbortHandler when an answer breaks off, and
	// no server above recovers from it here. A panic of any other module in the
	// route must not bring down the process, and the API with it, either.
	defer func() {
		if cause := recover(); cause != nil {
			err = panicError(cause, w.tooLarge)
		}
	}()
	err = u.Handler.ServeHTTP(w, r)
	switch {
	case w.tooLarge:
		return Show{}, ErrTooLarge
	case ctx.Err() != nil:
		return Show{}, fmt.Errorf("reading Show: %w", context.Cause(ctx))
	case err != nil:
		return Show{}, fmt.Errorf("reading Show: %w", err)
	}
	plain, err := body.Decode(w.body, w.header.Get("Content-Encoding"))
	if err != nil {
		return Show{}, fmt.Errorf("decoding Show: %w", err)
	}
	w.header.Del("Content-Encoding")
	kind := w.header.Get("Content-Type")
	plain, asType, err := body.Unicode(plain, kind)
	if err != nil {
		return Show{}, fmt.Errorf("decoding Show: %w", err)
	}
	if asType != kind {
		w.header.Set("Content-Type", asType)
	}
	return Show{Status: w.status, Header: w.header, Body: plain}, nil
}

// panicError turns a panic within the route into an error.
func panicError(cause any, tooLarge bool) error {
	if tooLarge {
		return ErrTooLarge
	}
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return ErrCut
	}
	return fmt.Errorf("panic while reading Show: %v\n%s", cause, debug.Stack())
}

// newRequest makes a request in the form in which a server hands it to a
// handler.
func newRequest(ctx context.Context, asked Request) (*http.Request, error) {
	u, err := url.ParseRequestURI(asked.Path)
	if err != nil {
		return nil, fmt.Errorf("path of Show: %w", err)
	}
	r := &http.Request{
		Method: asked.Method,
		URL:    u,
		Header: http.Header{
			// A cache on the way would answer with the state before the change.
			"Cache-Control": {"no-cache"},
			"User-Agent":    {"caddy-webhooks"},
		},
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Body:       http.NoBody,
		RequestURI: asked.Path,
		RemoteAddr: "127.0.0.1:0",
	}
	for field, values := range asked.Header {
		r.Header[field] = values
	}
	if asked.Body != nil {
		r.Body = io.NopCloser(bytes.NewReader(asked.Body))
		r.ContentLength = int64(len(asked.Body))
	}
	return r.WithContext(ctx), nil
}
