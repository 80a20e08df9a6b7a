// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/event"
)

const (
	// keptAnswer is how much of an answer's body is recorded.
	keptAnswer = 4 << 10
	// readAnswer is how much of it is read, so that the connection can be used
	// again. Beyond, a new connection costs less.
	readAnswer = 64 << 10
)

// answer is what came back from an attempt. An answer that broke off has both
// a code and an error.
type answer struct {
	code       int
	body       []byte
	retryAfter time.Duration
	err        error
}

// attempt posts an event once. It takes no longer than the endpoint's timeout,
// the answer's last byte included.
func (d *dispatcher) attempt(ctx context.Context, ev *event.Event, at time.Time) answer {
	ctx, cancel := context.WithTimeout(ctx, d.target.Endpoint.Timeout)
	defer cancel()
	response, err := d.target.Transport.RoundTrip(d.request(ctx, ev, at))
	if err != nil {
		return answer{err: err}
	}
	// Closing before the end drops the connection instead of draining it.
	defer response.Body.Close()
	body, err := readBody(response.Body)
	if err != nil {
		err = fmt.Errorf("%w: %w", errBrokenAnswer, err)
	}
	return answer{code: response.StatusCode, body: body, retryAfter: retryAfter(response.Header, d.options.Now()), err: err}
}

// newTemplate returns what all requests to a URL have in common.
func newTemplate(u *url.URL) *http.Request {
	return &http.Request{
		Method: http.MethodPost, URL: u, Host: u.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}

// request returns the request of one attempt: the event's exact bytes, and a
// time and signature of its own.
func (d *dispatcher) request(ctx context.Context, ev *event.Event, at time.Time) *http.Request {
	values := [...]string{
		ev.ID, strconv.FormatInt(at.Unix(), 10),
		ev.Type, ev.Key.String(), strconv.FormatUint(ev.Sequence, 10), string(ev.Freshness),
		d.options.UserAgent, ev.ContentType,
	}
	header := make(http.Header, len(values)+4)
	for i, name := range headerNames {
		// A Show without a content type leaves its header out, as does a value
		// that no header can hold: refused by the transport, it would fail every
		// attempt.
		if values[i] != "" && httpguts.ValidHeaderFieldValue(values[i]) {
			header[name] = values[i : i+1 : i+1]
		}
	}
	// A key without a value is not sent. It tells the transport that it may
	// send the request again if a connection that it kept turns out to be
	// closed: to the receiver a repeat is a repeat.
	header["X-Idempotency-Key"] = nil

	message := sign.Message{ID: ev.ID, At: at, URL: d.url, ContentType: header.Get("Content-Type"), Body: ev.Payload}
	for _, scheme := range d.target.Endpoint.Signatures {
		scheme.Sign(message, d.target.Endpoint.Secrets, header)
	}

	request := d.template.WithContext(ctx)
	request.Header = header
	request.Body, request.GetBody = http.NoBody, emptyBody
	if len(ev.Payload) > 0 {
		body := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(ev.Payload)), nil }
		request.ContentLength = int64(len(ev.Payload))
		request.Body, _ = body()
		request.GetBody = body
	}
	return request
}

// headerNames are the headers of a request but for its signatures, in their
// canonical form.
var headerNames = [...]string{
	"Webhook-Id", "Webhook-Timestamp",
	"Webhook-Event", "Webhook-Object", "Webhook-Sequence", "Webhook-Freshness",
	"User-Agent", "Content-Type",
}

func emptyBody() (io.ReadCloser, error) { return http.NoBody, nil }

// buffers are what answers are read into; most are far smaller than one, so
// only what came is kept.
var buffers = sync.Pool{New: func() any { return new([keptAnswer]byte) }}

// readBody reads a body as far as readAnswer and returns its beginning. A body
// that goes on beyond is not an error.
func readBody(body io.Reader) ([]byte, error) {
	buffer := buffers.Get().(*[keptAnswer]byte)
	defer buffers.Put(buffer)
	n := 0
	for n < len(buffer) {
		read, err := body.Read(buffer[n:])
		n += read
		if errors.Is(err, io.EOF) {
			return kept(buffer[:n]), nil
		}
		if err != nil {
			return kept(buffer[:n]), err
		}
	}
	_, err := io.CopyN(io.Discard, body, readAnswer-keptAnswer)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return kept(buffer[:n]), err
}

// kept copies what was read, nil for nothing.
func kept(read []byte) []byte {
	if len(read) == 0 {
		return nil
	}
	return slices.Clone(read)
}
