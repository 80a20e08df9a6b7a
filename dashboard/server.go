// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"errors"
	"net/http"
	"path"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
)

// Options holds what a Server needs. API and Gate are required.
type Options struct {
	// API does all that the pages do. Its routes are our own, whatever shape the API has
	// that subscribers' programs use.
	API *callbacks.Server
	// Gate finds out who asks.
	Gate Gate
	// Admin returns what does all that the pages of operators do. Nil is for no such pages.
	Admin func() *admin.Server
	// Recent is what was done in the last day, for them. Nil is for nothing that is known.
	Recent Recent
	// Client returns the address from which a request came. Default: the connection's.
	Client func(r *http.Request) string
	// FramedBy are the sources of a content policy that may show pages in a frame.
	// Default: nobody may.
	FramedBy []string
	// Base returns the path below which a browser finds the dashboard. Default: "".
	Base func(r *http.Request) string
	// Now is the clock. Default: [time.Now].
	Now func() time.Time
	// Log gets what is wrong on our side. Default: none.
	Log *zap.Logger
}

// maxForm limits what a form sends, in bytes.
const maxForm = 64 << 10

// Server serves the pages for one running configuration. Use [New].
type Server struct {
	options   Options
	policy    string
	templates *Templates
	pages     *http.ServeMux
	origins   *http.CrossOriginProtection
}

// New returns a server.
func New(options Options) (*Server, error) {
	if options.Base == nil {
		options.Base = func(*http.Request) string { return "" }
	}
	if options.Client == nil {
		options.Client = func(r *http.Request) string { return r.RemoteAddr }
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Log == nil {
		options.Log = zap.NewNop()
	}
	templates, err := NewTemplates(pageFiles(), options.Now)
	if err != nil {
		return nil, err
	}
	s := &Server{options: options, policy: policy(options.FramedBy), templates: templates, pages: http.NewServeMux(), origins: http.NewCrossOriginProtection()}
	s.route()
	return s, nil
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.protect(w.Header())
	r = based(r, s.options.Base(r))
	if r.URL.Path == "" {
		redirect(w, r, "/")
		return
	}
	if !isClean(r.URL.Path) {
		s.fail(w, r, nil, errLost) // the mux would lead to a path without the base
		return
	}
	if err := s.origins.Check(r); err != nil {
		s.fail(w, r, nil, errForeign)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	s.pages.ServeHTTP(w, r)
}

// isClean reports whether a path is one that the mux takes as it is.
func isClean(p string) bool {
	clean := path.Clean(p)
	return strings.HasPrefix(p, "/") && (clean == p || clean != "/" && clean+"/" == p)
}

// visit is one request of a person who is known.
type visit struct {
	*Server
	w      http.ResponseWriter
	r      *http.Request
	person Person
	api    api
	now    time.Time
}

// action answers a visit, or fails with a [*callbacks.Problem] or a failure.
type action func(v *visit) error

// known returns a handler of an action that is for tenants who are known. Operators are
// led to pages of theirs.
func (s *Server) known(do action) http.HandlerFunc {
	return s.visited(do, func(r *http.Request, person Person) error {
		switch {
		case person.Operator && r.URL.Path == "/":
			return &Elsewhere{Path: pathOperator}
		case person.Operator:
			return errLost
		case person.Tenant == "":
			return ErrNobody // the tenant "" is the operator's
		}
		return nil
	})
}

// visited returns a handler of an action that is for persons who are let in.
func (s *Server) visited(do action, let func(r *http.Request, person Person) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		person, err := s.options.Gate.Person(r)
		if err == nil {
			err = let(r, person)
		}
		var elsewhere *Elsewhere
		if errors.As(err, &elsewhere) {
			redirect(w, r, elsewhere.Path)
			return
		}
		if err != nil {
			s.fail(w, r, nil, err)
			return
		}
		v := &visit{Server: s, w: w, r: r, person: person, now: s.options.Now(), api: api{
			server: s.options.API, caller: callbacks.Caller{Tenant: person.Tenant, Name: person.Name}, of: r,
		}}
		if err = v.read(); err == nil {
			err = do(v)
		}
		if errors.As(err, &elsewhere) {
			redirect(w, r, elsewhere.Path)
		} else if err != nil {
			s.fail(w, r, &person, err)
		}
	}
}

// read reads the form that was sent.
func (v *visit) read() error {
	err := v.r.ParseForm()
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return errTooLarge
	case err != nil:
		return errUnread
	}
	return nil
}

// secret reports, as an [*Elsewhere], that a person must show first that it is still them.
func (v *visit) secret(back string) error {
	if v.person.SteppedUp {
		return nil
	}
	return &Elsewhere{Path: v.options.Gate.StepUp(back)}
}

// show renders a page.
func (v *visit) show(status int, page View) error {
	page.person = &v.person
	page.account = v.options.Gate.Pages() != nil
	v.templates.Render(v.w, v.r, status, page)
	return nil
}

// leave sends the person to another page.
func (v *visit) leave(path string) error {
	redirect(v.w, v.r, path)
	return nil
}
