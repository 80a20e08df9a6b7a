// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"encoding/base64"
	"net/http"
	"unicode/utf8"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
)

// ComposedView is what a delivery sends: the request of an attempt that would begin now.
type ComposedView struct {
	Request SentRequest `json:"request"`
	// BodyBase64 is the body in place of the request's, if that is no text.
	BodyBase64 string `json:"body_base64,omitempty"`
	// Curl is a command that sends the same, without credentials; "" if the body is no
	// text.
	Curl string `json:"curl,omitempty"`
}

// showRequest answers with what a delivery sends. Of credentials it has nothing; it is
// signed, as whoever owns the endpoint may sign.
func showRequest(c *call) (*answer, error) {
	if _, err := parameters(c.r); err != nil {
		return nil, err
	}
	d, err := c.delivery()
	if err != nil {
		return nil, err
	}
	of, err := c.event(d.EventID)
	if err != nil {
		return nil, err
	}
	e, err := c.book.Get(c.r.Context(), c.caller.Tenant, d.Endpoint)
	if err != nil {
		return nil, err
	}
	if err := deliverable(&e, ""); err != nil {
		return nil, err
	}
	as, err := e.Resolve(c.options.Template)
	if err != nil {
		return nil, err
	}
	as = as.WithDefaults()
	header, body, err := emitter.Compose(&as, of, "", c.now)
	if err != nil {
		return nil, err
	}
	v := ComposedView{Request: SentRequest{Method: http.MethodPost, URL: e.URL, Headers: flat(header)}}
	if !utf8.Valid(body) {
		v.BodyBase64 = base64.StdEncoding.EncodeToString(body)
		return ok(v)
	}
	v.Request.Body = string(body)
	v.Curl = curl(&v.Request)
	return ok(v)
}
