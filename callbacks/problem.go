// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// Problem is an answer to a request that was not done (RFC 9457). It never holds a
// secret, nor anything of another tenant.
type Problem struct { //nolint:errname // RFC 9457 calls it so, and it is an answer in the first place
	// Type names the kind of problem: "problems/" and a word that does not change.
	Type string `json:"type"`
	// Title says in a sentence what the kind is, and Detail what it is this time.
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	// Errors are the members of the body, or parameters, that are wrong.
	Errors []FieldProblem `json:"errors,omitempty"`
	// Verification is the test that the receiver did not accept.
	Verification *Verification `json:"verification,omitempty"`
	// Oldest is the first cursor from which a feed can be read, if the one that was
	// given is too old.
	Oldest string `json:"oldest,omitempty"`

	// after is when the request may be made again; 0 if that is not known.
	after time.Duration
	// theirs is true if the pointers are in the names of a shape that is not ours.
	theirs bool
}

// FieldProblem is what is wrong with one member of a body.
type FieldProblem struct {
	// Pointer is the JSON Pointer of the member, "" for the whole; of a parameter it
	// is its name behind a "?".
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
	Remedy  string `json:"remedy,omitempty"`
}

// Error implements error.
func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// kind is a kind of problem.
type kind struct {
	name, title string
	status      int
}

var (
	malformed       = kind{"malformed", "The request cannot be read", http.StatusBadRequest}
	misfits         = kind{"schema", "The body does not fit its schema", http.StatusBadRequest}
	unauthenticated = kind{"unauthenticated", "The request does not say who asks", http.StatusUnauthorized}
	crossSite       = kind{"cross-site", "The request comes from a page of another site", http.StatusForbidden}
	notFound        = kind{"not-found", "There is no such thing", http.StatusNotFound}
	wrongMethod     = kind{"method", "The method is not possible here", http.StatusMethodNotAllowed}
	underWay        = kind{"under-way", "The same request is being worked on", http.StatusConflict}
	conflicting     = kind{"conflict", "It does not go together with how things stand", http.StatusConflict}
	gone            = kind{"expired", "The cursor is too old", http.StatusGone}
	precondition    = kind{"precondition", "It was changed meanwhile", http.StatusPreconditionFailed}
	tooLarge        = kind{"too-large", "The request is too large", http.StatusRequestEntityTooLarge}
	mediaType       = kind{"media-type", "The body is of a type that is not read here", http.StatusUnsupportedMediaType}
	invalid         = kind{"invalid", "A value is not possible", http.StatusUnprocessableEntity}
	keyReused       = kind{"key-reused", "The Idempotency-Key belongs to another request", http.StatusUnprocessableEntity}
	unverified      = kind{"verification-failed", "The receiver did not accept the test", http.StatusUnprocessableEntity}
	tooMany         = kind{"too-many", "There are too many requests", http.StatusTooManyRequests}
	unavailable     = kind{"unavailable", "It cannot be done at the moment", http.StatusServiceUnavailable}
	broken          = kind{"internal", "Something is wrong on our side", http.StatusInternalServerError}
)

// problem returns a problem of a kind.
func (k kind) problem(format string, args ...any) *Problem {
	return &Problem{Type: "problems/" + k.name, Title: k.title, Status: k.status, Detail: fmt.Sprintf(format, args...)}
}

// in returns a problem of a kind with members that are wrong.
func (k kind) in(fields ...FieldProblem) *Problem {
	p := k.problem("%s", fields[0].Detail)
	if len(fields) > maxFieldProblems {
		fields = fields[:maxFieldProblems]
	}
	p.Errors = fields
	return p
}

// retry returns a problem after which the request may be made again.
func (k kind) retry(after time.Duration, format string, args ...any) *Problem {
	p := k.problem(format, args...)
	p.after = after
	return p
}

const (
	// maxFieldProblems limits how many members an answer says are wrong.
	maxFieldProblems = 16
	// queueRetry is when a request is worth another try that found no open queue.
	queueRetry = 10 * time.Second
)

// problemOf returns the problem that an error means, and whether it is an error of
// ours that somebody should know of.
func problemOf(err error) (p *Problem, ours bool) {
	var (
		already *Problem
		field   *subscribers.FieldError
	)
	if p := runProblem(err); p != nil {
		return p, false
	}
	switch {
	case errors.As(err, &already):
		return already, false
	case errors.As(err, &field):
		return invalid.in(FieldProblem{field.Pointer, field.Detail, field.Remedy}), false
	case errors.Is(err, queue.ErrNotFound):
		return notFound.problem("there is no such thing, or it is not yours"), false
	case errors.Is(err, subscribers.ErrChanged):
		return precondition.problem("it was changed meanwhile; read it again"), false
	case errors.Is(err, queue.ErrBadCursor):
		return malformed.in(FieldProblem{"?cursor", "it is no cursor of this list", "take `next` of the page before, or leave it out"}), false
	case errors.Is(err, queue.ErrTooLarge), errors.Is(err, queue.ErrBadRecord):
		return tooLarge.problem("it is more than can be kept"), false
	case errors.Is(err, queue.ErrConflict):
		return conflicting.problem("somebody else has done the same at the same time; try again"), false
	case errors.Is(err, queue.ErrNotOpen), errors.Is(err, queue.ErrClosed), errors.Is(err, queue.ErrBusy), errors.Is(err, queue.ErrFull),
		errors.Is(err, queue.ErrDisk), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return unavailable.retry(queueRetry, "what callbacks are kept in cannot be used at the moment"), false
	}
	return broken.problem("it was noted"), true
}

// refuse answers a request that was not done.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p, ours := problemOf(err)
	if ours {
		s.options.Log.Error("a request of the callbacks API failed", zap.String("method", r.Method), zap.Error(err))
	}
	if p.after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(max(1, (p.after+time.Second-1)/time.Second))))
	}
	s.write(w, r, p.Status, "application/problem+json", p)
}

// answer is an answer to a request that was done.
type answer struct {
	status int
	body   any
	// header holds what it has beside the usual.
	header map[string]string
}

// ok returns the usual answer.
func ok(body any) (*answer, error) { return &answer{status: http.StatusOK, body: body}, nil }

// set adds a header.
func (a *answer) set(name, value string) *answer {
	if a.header == nil {
		a.header = make(map[string]string)
	}
	a.header[name] = value
	return a
}

// reply sends an answer.
func (s *Server) reply(w http.ResponseWriter, r *http.Request, a *answer) {
	if a == nil {
		return // it was sent already
	}
	for name, value := range a.header {
		if value != "" {
			w.Header().Set(name, value)
		}
	}
	contentType, body := typeJSON, a.body
	if shown, isRaw := body.(Raw); isRaw {
		if contentType = shown.ContentType; contentType == "" {
			contentType = "application/octet-stream"
		}
		body = json.RawMessage(shown.Text)
	}
	s.write(w, r, a.status, contentType, body)
}

// write sends a status and a body, nil for none. The headers say that nobody keeps
// it: answers hold URLs and secrets.
func (s *Server) write(w http.ResponseWriter, r *http.Request, status int, contentType string, body any) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	if body == nil {
		w.WriteHeader(status)
		return
	}
	text, err := encode(body)
	if err != nil {
		s.options.Log.Error("an answer of the callbacks API could not be written", zap.Error(err))
		status, contentType, text = http.StatusInternalServerError, "application/problem+json", []byte(`{"type":"problems/internal","status":500}`)
	}
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = io.Copy(w, bytes.NewReader(text))
	}
}

// encode writes JSON. What is text stays readable: nothing of it is a page.
func encode(body any) ([]byte, error) {
	if raw, done := body.(json.RawMessage); done {
		return raw, nil
	}
	var text jsonText
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(body)
	return text, err
}

// jsonText collects what an encoder writes.
type jsonText []byte

func (t *jsonText) Write(b []byte) (int, error) {
	*t = append(*t, b...)
	return len(b), nil
}
