// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"context"
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// Prober tries receivers.
type Prober interface {
	// Check reports, as a [subscribers.FieldError], why nothing could be delivered to
	// an endpoint, as far as that is known without the network.
	Check(e *subscribers.Endpoint) error
	// Probe posts a test to an endpoint as a delivery would be posted.
	Probe(ctx context.Context, e *subscribers.Endpoint) (emitter.Probed, error)
}

const (
	// probeTimeout limits a test: somebody waits for its answer.
	probeTimeout = 15 * time.Second
	// shownAnswer is how many bytes of a receiver's answer a verification shows.
	shownAnswer = 1 << 10
)

// Verification is a test of a receiver: what was sent, and what came back.
type Verification struct {
	Accepted bool `json:"accepted"`
	// Request is what was sent, nil if nothing was.
	Request *SentRequest `json:"request,omitempty"`
	// Response is what came back, nil if nothing did; Error then says so.
	Response *GotResponse `json:"response,omitempty"`
	Error    string       `json:"error,omitempty"`
	// Curl is a command that sends the same, without credentials.
	Curl string `json:"curl,omitempty"`
}

// SentRequest is what was sent, or would be, without credentials.
type SentRequest struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// GotResponse is what came back.
type GotResponse struct {
	Status int   `json:"status"`
	MS     int64 `json:"ms"`
	// Body is the beginning of the answer; one that is no text is in base64.
	Body       string `json:"body,omitempty"`
	BodyBase64 string `json:"body_base64,omitempty"`
}

// gotOf returns what a receiver answered, no more than most bytes of its body.
func gotOf(status int, took time.Duration, body []byte, most int) *GotResponse {
	if status == 0 {
		return nil
	}
	got := &GotResponse{Status: status, MS: took.Milliseconds()}
	got.Body, got.BodyBase64 = shown(body, most)
	return got
}

// shown returns the beginning of bytes, as text if they are text and otherwise in
// base64.
func shown(body []byte, most int) (text, base64Text string) {
	cut := body[:min(len(body), most)]
	for range utf8.UTFMax {
		// A character must not be cut in two.
		if len(cut) == len(body) || utf8.Valid(cut) {
			break
		}
		cut = cut[:len(cut)-1]
	}
	if utf8.Valid(cut) {
		return string(cut), ""
	}
	return "", base64.StdEncoding.EncodeToString(body[:min(len(body), most)])
}

// verify tests the receiver of an endpoint. Nil means that none was made: the operator
// wants none, or there is no receiver.
func (c *call) verify(e *subscribers.Endpoint) (*Verification, error) {
	if c.options.Unverified || e.URL == "" {
		return nil, nil
	}
	made, err := c.probe(e)
	if err != nil {
		return nil, err
	}
	if !made.Accepted {
		p := unverified.problem("%s", made.failure())
		p.Errors = []FieldProblem{{"/url", p.Detail, "have it answer a test with success, and try again"}}
		p.Verification = made
		return nil, p
	}
	return made, nil
}

// probe sends a test to the receiver of an endpoint.
func (c *call) probe(e *subscribers.Endpoint) (*Verification, error) {
	if wait := c.limits.probe(c.caller.Tenant, c.now); wait > 0 {
		return nil, tooMany.retry(wait, "wait before the next test of a receiver")
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), probeTimeout)
	defer cancel()
	probed, err := c.options.Prober.Probe(ctx, e)
	if err != nil {
		return nil, err
	}
	attempt := probed.Attempt
	made := &Verification{
		Accepted: probed.Accepted, Error: attempt.Error,
		Response: gotOf(attempt.Code, attempt.Duration, attempt.Response, shownAnswer),
	}
	if probed.Header != nil {
		made.Request = &SentRequest{http.MethodPost, e.URL, flat(probed.Header), string(probed.Body)}
		made.Curl = curl(made.Request)
	}
	return made, nil
}

// failure says in a sentence why a test was not accepted.
func (v *Verification) failure() string {
	if v.Error == "" {
		return "the receiver did not answer with success"
	}
	return strings.ToUpper(v.Error[:1]) + v.Error[1:] + "."
}

// flat returns headers as receivers read them, in lower case.
func flat(header http.Header) map[string]string {
	headers := make(map[string]string, len(header))
	for name, values := range header {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return headers
}

// curl returns a command for a shell that sends a request.
func curl(sent *SentRequest) string {
	var line strings.Builder
	line.WriteString("curl -X " + sent.Method + " " + quoted(sent.URL))
	for _, name := range slices.Sorted(maps.Keys(sent.Headers)) {
		line.WriteString(" -H " + quoted(name+": "+sent.Headers[name]))
	}
	line.WriteString(" --data-binary " + quoted(sent.Body))
	return line.String()
}

// quoted quotes text for a shell.
func quoted(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// testEndpoint sends the test again, and answers what came of it; or a sample of a type of
// event: {"type": "items.updated"}.
func testEndpoint(c *call) (*answer, error) {
	values, err := parameters(c.r, "wait")
	if err != nil {
		return nil, err
	}
	e, err := c.target()
	if err != nil {
		return nil, err
	}
	sent, err := body(c.w, c.r, false, typeJSON)
	if err != nil {
		return nil, err
	}
	var f form
	name := ""
	f.members("", sent.members, map[string]taker{"type": f.text(&name)})
	if err := f.err(); err != nil {
		return nil, err
	}
	switch {
	case c.declared(e.ID) && name != "":
		return c.sample(&e, name, values.Get("wait"))
	case c.declared(e.ID):
		return nil, invalid.in(FieldProblem{"/type", "it is missing", "say of which type of event a sample is to be sent"})
	case e.URL == "":
		return nil, invalid.in(FieldProblem{"/url", "it has none", "give it one first"})
	}
	if err := c.options.Prober.Check(&e); err != nil {
		return nil, err
	}
	if name != "" {
		return c.sample(&e, name, values.Get("wait"))
	}
	made, err := c.probe(&e)
	if err != nil {
		return nil, err
	}
	return ok(made)
}
