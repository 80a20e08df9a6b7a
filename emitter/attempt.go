// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/retryafter"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

const (
	// keptAnswer is how many bytes of an answer's body are recorded.
	keptAnswer = 4 << 10
	// readAnswer is how many bytes of it are read, so that the connection can
	// be reused. Beyond that, a new connection costs less.
	readAnswer = 64 << 10
)

// answer is the result of an attempt. An answer that broke off has both a code
// and an error.
type answer struct {
	code       int
	body       []byte
	retryAfter time.Duration
	// word is the value of webhook-delivery.
	word string
	err  error
	// sent is what is kept of the request, zero if none was made.
	sent queue.Sent
}

// attempt posts an event once. It takes no longer than the endpoint's timeout,
// including the answer's last byte.
func (d *dispatcher) attempt(ctx context.Context, ev *event.Event, to destination, trace string, at time.Time) answer {
	timeout := d.target.Endpoint.Timeout
	if to.timeout > 0 {
		timeout = min(timeout, to.timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := d.request(ctx, ev, to, trace, at)
	if err != nil {
		return answer{err: err}
	}
	sent := d.sent(&to, request.Header.Get(traceHeader), at)
	response, err := d.target.Transport.RoundTrip(request)
	if err != nil {
		return answer{err: err, sent: sent}
	}
	// Closing before the end drops the connection instead of draining it.
	defer response.Body.Close()
	if auth := d.target.Endpoint.Auth; auth != nil && response.StatusCode == http.StatusUnauthorized {
		auth.Rejected(request.Header)
	}
	body, err := readBody(response.Body)
	if err != nil {
		err = fmt.Errorf("%w: %w", errBrokenAnswer, err)
	}
	return answer{
		code: response.StatusCode, body: body, retryAfter: retryafter.Parse(response.Header, d.options.Now()),
		word: response.Header.Get(deliveryHeader), err: err, sent: sent,
	}
}

// buffers are for reading answers. Most answers are far smaller than a buffer,
// so only the bytes that came are kept.
var buffers = sync.Pool{New: func() any { return new([keptAnswer]byte) }}

// readBody reads at most readAnswer bytes of a body and returns its beginning.
// A longer body is not an error.
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

// kept copies the bytes that were read, nil for none.
func kept(read []byte) []byte {
	if len(read) == 0 {
		return nil
	}
	return slices.Clone(read)
}
