// SPDX-License-Identifier: Apache-2.0

package account

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/password"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// problem is why something is not done.
type problem struct {
	Status              int
	Title, Text, Remedy string
	// wait is after how long it may be tried again, 0 if that does not matter.
	wait time.Duration
}

// Error implements error.
func (p *problem) Error() string { return p.Title }

// after returns the problem, to be tried again after a while.
func (p problem) after(wait time.Duration) *problem {
	p.wait = wait
	return &p
}

// fail answers with the page that says why something is not done.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := s.problemOf(err)
	if p.wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((p.wait+time.Second-1)/time.Second)))
	}
	s.options.Renderer.Render(w, r, p.Status, dashboard.View{Name: "problem", Title: p.Title, Data: p, Bare: true})
}

// problemOf returns what is told of an error.
func (s *Server) problemOf(err error) *problem {
	var p *problem
	switch {
	case errors.As(err, &p):
	case errors.Is(err, password.ErrBusy):
		p = tooBusy.after(time.Second)
	case errors.Is(err, queue.ErrNotOpen), errors.Is(err, queue.ErrBusy), errors.Is(err, queue.ErrClosed):
		p = unavailable.after(time.Second)
	default:
		s.options.Log.Error("a page of an account failed", zap.Error(err))
		p = broken.after(0)
	}
	return p
}
