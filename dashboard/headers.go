// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"net/http"
	"strings"
)

// policy returns the content policy of all answers: what is needed comes from the
// dashboard itself, and nothing else is loaded, run, sent or framed.
func policy(framedBy []string) string {
	ancestors := "'none'"
	if len(framedBy) > 0 {
		ancestors = strings.Join(framedBy, " ")
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors " + ancestors
}

// protect sets the headers that keep a page safe. They are set before anything is
// answered, so there is no answer without them.
func (s *Server) protect(header http.Header) {
	header.Set("Content-Security-Policy", s.policy)
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	// With no-referrer, browsers send forms with the Origin "null".
	header.Set("Referrer-Policy", "same-origin")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	if len(s.options.FramedBy) == 0 {
		header.Set("X-Frame-Options", "DENY")
	}
}
