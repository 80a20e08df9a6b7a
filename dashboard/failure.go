// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// failure is why a page is not shown.
type failure struct {
	Status              int
	Title, Text, Remedy string
}

// Error implements error.
func (f *failure) Error() string { return f.Title }

// fail answers with the page that says why another is not shown. The person is nil if it is
// not known who asks.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, person *Person, err error) {
	f := s.failureOf(w, r, err)
	page := View{Name: "failure", Title: f.Title, Data: f, Bare: person == nil, person: person}
	page.account = person != nil && s.options.Gate.Pages() != nil
	s.templates.Render(w, r, f.Status, page)
}

// failureOf returns why a page is not shown.
func (s *Server) failureOf(w http.ResponseWriter, r *http.Request, err error) *failure {
	var known *failure
	var problem *callbacks.Problem
	var refused *admin.Refused
	switch {
	case errors.As(err, &known):
	case errors.Is(err, ErrNobody):
		known = errSignedOut
	case errors.Is(err, queue.ErrNotOpen), errors.Is(err, queue.ErrBusy), errors.Is(err, queue.ErrClosed):
		known = errUnavailable
	case errors.As(err, &problem):
		known = failureOfProblem(problem)
		if after := problem.RetryAfter(); after > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int((after+time.Second-1)/time.Second)))
		}
	case errors.As(err, &refused) && refused.Status != http.StatusInternalServerError:
		known = failureOfRefused(refused)
	default:
		s.options.Log.Error("a page of the dashboard failed", zap.String("method", r.Method), zap.Error(err))
		known = errBroken
	}
	return known
}

// failureOfProblem returns the page's words for a problem of the API.
func failureOfProblem(p *callbacks.Problem) *failure {
	switch p.Status {
	case http.StatusNotFound:
		return errLost
	case http.StatusServiceUnavailable:
		return errUnavailable
	case http.StatusTooManyRequests:
		return errTooMany
	case http.StatusPreconditionFailed:
		return errChanged
	case http.StatusInternalServerError:
		return errBroken
	}
	f := &failure{Status: p.Status, Title: p.Title, Text: sentence(p.Detail)}
	if len(p.Errors) > 0 && p.Errors[0].Remedy != "" {
		f.Remedy = sentence(p.Errors[0].Remedy)
	}
	return f
}

// asProblem returns the problem of the API that an error is, nil if it is none.
func asProblem(err error) *callbacks.Problem {
	var p *callbacks.Problem
	if errors.As(err, &p) {
		return p
	}
	return nil
}
