// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
)

// exchangeView is a request to a receiver, and its answer.
type exchangeView struct {
	State   state
	Summary string
	// Sent are the lines of the request before its body, and Got those of the answer.
	Sent, Got    []string
	Body, Answer code
	// Error says why no answer came.
	Error string
	Curl  string
}

// viewVerification returns a test of a receiver as it is shown, nil for none.
func viewVerification(of *callbacks.Verification) *exchangeView {
	if of == nil {
		return nil
	}
	v := &exchangeView{State: attemptRefused, Error: sentence(of.Error), Curl: copyable(of.Curl)}
	v.setAnswer(of.Response)
	switch {
	case of.Accepted:
		v.State = attemptAccepted
	case of.Response == nil:
		v.State = attemptLost
	}
	if of.Request != nil {
		v.setSent(of.Request, []byte(of.Request.Body))
	}
	return v
}

// setSent shows a request.
func (v *exchangeView) setSent(sent *callbacks.SentRequest, body []byte) {
	v.setLines(sent.Method, pathOfURL(sent.URL), hostOf(sent.URL), sent.Headers)
	v.Body = codeOf(body)
}

// setLines shows the lines of a request before its body.
func (v *exchangeView) setLines(method, path, host string, headers map[string]string) {
	v.Sent = []string{visible(method + " " + path + " HTTP/1.1"), visible("host: " + host)}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		v.Sent = append(v.Sent, visible(name+": "+headers[name]))
	}
}

// pathOfURL returns what a URL is after its host; "…" if it is none.
func pathOfURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || raw == "" {
		return "…"
	}
	return u.RequestURI()
}

// setAnswer shows an answer; nil is none.
func (v *exchangeView) setAnswer(got *callbacks.GotResponse) {
	if got == nil {
		v.Summary = "No answer came."
		return
	}
	v.Summary = answerOf(got)
	v.Got = []string{fmt.Sprintf("HTTP %d %s", got.Status, http.StatusText(got.Status))}
	v.Answer = codeOf(bodyOf(got.Body, got.BodyBase64))
}

// copyable returns a command that may be copied: "" if it has characters that nobody sees,
// since who copies it would run something else than what the page shows.
func copyable(command string) string {
	if strings.ContainsFunc(command, func(r rune) bool { return r != '\n' && hides(r) }) {
		return ""
	}
	return command
}

// answerOf says in words what a receiver answered.
func answerOf(got *callbacks.GotResponse) string {
	return fmt.Sprintf("%d %s in %s", got.Status, http.StatusText(got.Status), millis(got.MS))
}

// millis writes a duration.
func millis(ms int64) string {
	if ms >= 1000 {
		return fmt.Sprintf("%.2f s", float64(ms)/1000)
	}
	return fmt.Sprintf("%d ms", ms)
}

// bodyOf returns a body that is text, or in base64 if it is not.
func bodyOf(text, base64Text string) []byte {
	if base64Text == "" {
		return []byte(text)
	}
	body, err := base64.StdEncoding.DecodeString(base64Text)
	if err != nil {
		return []byte(base64Text)
	}
	return body
}
