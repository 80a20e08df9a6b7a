// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/hop"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
)

// newTemplate returns the common part of all requests to a URL.
func newTemplate(u *url.URL) *http.Request {
	return &http.Request{
		Method: http.MethodPost, URL: u, Host: u.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}

// request returns the request of one attempt: the event, as the endpoint's tenant
// may have it, in the delivery's format, credentials, and a time and signatures of its own. It fails if it
// needs a token and does not get one.
func (d *dispatcher) request(ctx context.Context, ev *event.Event, to destination, trace string, at time.Time) (*http.Request, error) {
	ev = ev.For(d.target.Endpoint.Tenant)
	body := to.format.Render(ev)
	if !d.target.Endpoint.Trace {
		trace = ""
	}
	claims, id := ev.Claims(), ev.DeliveryID()
	values := [...]string{
		id, strconv.FormatInt(at.Unix(), 10),
		claims.Type, claims.Object, claims.Sequence, claims.Op, claims.Freshness, claims.Changed,
		d.hop(ev.Cause.Hops, &to, at), trace,
		d.options.UserAgent, body.ContentType, to.authorization,
	}
	header := make(http.Header, len(values)+len(body.Header)+4)
	for i, name := range headerNames {
		// A Show without a content type leaves its header out, as does a value
		// that no header can hold: the transport would refuse it and fail every
		// attempt.
		if values[i] != "" && httpguts.ValidHeaderFieldValue(values[i]) {
			header[name] = values[i : i+1 : i+1]
		}
	}
	// A key without a value is not sent. It allows the transport to send the
	// request again if a connection that it kept turns out to be closed: to the
	// receiver a repeat is a repeat.
	header["X-Idempotency-Key"] = nil

	for _, field := range body.Header {
		header[field[0]] = []string{field[1]}
	}
	if auth := d.target.Endpoint.Auth; auth != nil {
		if err := auth.Authenticate(ctx, d.target.tokens(), header); err != nil {
			return nil, err
		}
	}

	message := sign.Message{ID: id, At: at, URL: to.url, ContentType: header.Get("Content-Type"), Body: body.Bytes, Header: describing(header, body)}
	for _, scheme := range d.target.Endpoint.Signatures {
		scheme.Sign(message, d.target.Endpoint.Secrets, header)
	}

	request := to.template.WithContext(ctx)
	request.Header = header
	request.Body, request.GetBody = http.NoBody, emptyBody
	if len(body.Bytes) > 0 {
		reader := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body.Bytes)), nil }
		request.ContentLength = int64(len(body.Bytes))
		request.Body, _ = reader()
		request.GetBody = reader
	}
	return request, nil
}

// traceHeader is the header of a trace, in canonical form.
const traceHeader = "Traceparent"

// headerNames are the headers of a request except its signatures, in canonical
// form.
var headerNames = [...]string{
	"Webhook-Id", "Webhook-Timestamp",
	"Webhook-Event", "Webhook-Object", "Webhook-Sequence", "Webhook-Op", "Webhook-Freshness", "Webhook-Changed",
	hop.Header, traceHeader,
	"User-Agent", "Content-Type", "Authorization",
}

// describing returns the headers that tell what the event is, for signatures over
// headers.
func describing(header http.Header, body payload.Body) [][2]string {
	described := make([][2]string, 0, claimed+len(body.Header))
	for _, name := range headerNames[2 : 2+claimed] {
		if values := header[name]; len(values) > 0 {
			described = append(described, [2]string{name, values[0]})
		}
	}
	return append(described, body.Header...)
}

// claimed is how many headers hold the claims of an event.
const claimed = 6

func emptyBody() (io.ReadCloser, error) { return http.NoBody, nil }
