// SPDX-License-Identifier: Apache-2.0

package show

import (
	"github.com/caddy-webhooks/caddy-webhooks/body"
	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Document returns the Show in the form that fields are read from: XML, forms
// and lines of JSON become the equivalent JSON. A body without structure has no
// fields.
func (s Show) Document() event.Document {
	if document := event.NewDocument(s.Body); document.IsJSON() {
		return document
	}
	plain, err := body.Normalise(s.Body, s.Header.Get("Content-Type"))
	if err != nil {
		return event.NewDocument(s.Body)
	}
	return event.NewDocument(plain)
}
