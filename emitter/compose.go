// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
)

// Compose returns what a delivery of an event to an endpoint would send at a time: the
// same bytes, and the same headers but for credentials and what belongs to a
// connection. The format is that of the event's commit, "" for the endpoint's own.
func Compose(e *endpoint.Endpoint, ev *event.Event, format string, at time.Time) (http.Header, []byte, error) {
	ev = ev.For(e.Tenant)
	rendered := e.Payload
	if format != "" && format != rendered.String() {
		var err error
		if rendered, err = payload.Parse(format); err != nil {
			return nil, nil, err
		}
	}
	u, err := url.Parse(e.URL)
	if err != nil {
		// Not the error: it repeats the URL.
		return nil, nil, fmt.Errorf("%w: endpoint %s has no URL that can be read", ErrBadTarget, e.Name)
	}
	body, claims, id := rendered.Render(ev), ev.Claims(), ev.DeliveryID()
	header := make(http.Header, 16)
	set := func(name, value string) {
		if value != "" && httpguts.ValidHeaderFieldValue(value) {
			header[name] = []string{value}
		}
	}
	for i, value := range [...]string{
		id, strconv.FormatInt(at.Unix(), 10), claims.Type, claims.Object, claims.Sequence, claims.Op, claims.Freshness, claims.Changed,
	} {
		set(headerNames[i], value)
	}
	set("Content-Type", body.ContentType)
	for _, field := range body.Header {
		header[field[0]] = []string{field[1]}
	}
	message := sign.Message{ID: id, At: at, URL: u, ContentType: header.Get("Content-Type"), Body: body.Bytes, Header: describing(header, body)}
	for _, scheme := range e.Signatures {
		scheme.Sign(message, e.Secrets, header)
	}
	return header, body.Bytes, nil
}
