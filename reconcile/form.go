// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"bytes"
	"fmt"
	"mime"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// A service whose session has ended answers with 200 and a form to log in, and a proxy
// that has lost its API with a page of its own. Taken for the object's state, that would
// be sent to everyone, and end a watch for good.

// noShow returns why an answer cannot be the object's Show, whatever its status says; ""
// if it can.
func (r *Resource) noShow(last *event.Snapshot, answer show.Show, document event.Document) string {
	if isStructured(document) {
		return ""
	}
	kind := answer.Header.Get("Content-Type")
	switch {
	case last != nil && last.Structured:
		return fmt.Sprintf("Show had fields before, and now it is none of JSON, XML or a form (Content-Type %q): a page to log in, or of a proxy in between; "+
			"the credential in `upstream` may have ended", kind)
	case !r.HTML && isPage(kind, answer.Body):
		return fmt.Sprintf("Show was answered with a page of HTML (Content-Type %q), as for a login, or by another virtual host; "+
			"look at the address and the credential in `upstream`, or write `html` in the block of `show` if the API shows its objects so", kind)
	}
	return ""
}

// isStructured reports whether a Show has fields: a JSON object or array, or what can be
// read as one.
func isStructured(document event.Document) bool {
	start := bytes.TrimLeft(bytes.TrimPrefix(document.Bytes(), []byte("\xef\xbb\xbf")), " \t\r\n")
	return document.IsJSON() && len(start) > 0 && (start[0] == '{' || start[0] == '[')
}

// isPage reports whether an answer is a page for people, by its type or how it begins.
func isPage(contentType string, body []byte) bool {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		media, _, _ = strings.Cut(strings.ToLower(contentType), ";")
	}
	if media == "text/html" || media == "application/xhtml+xml" {
		return true
	}
	start := bytes.ToLower(bytes.TrimLeft(body[:min(len(body), 256)], "\xef\xbb\xbf \t\r\n"))
	return bytes.HasPrefix(start, []byte("<!doctype html")) || bytes.HasPrefix(start, []byte("<html"))
}
