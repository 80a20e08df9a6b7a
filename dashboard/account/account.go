// SPDX-License-Identifier: Apache-2.0

// Package account is who looks at the dashboard: its pages to log in, to set up and show a
// second factor, and to look after one's own account. It is a [dashboard.Gate].
//
//	GET POST  /account/login            password, or a passkey alone
//	GET POST  /account/second           second factor
//	GET POST  /account/welcome          sets a password, by the code of a one-time link
//	GET POST  /account/enrol            sets up an authenticator app; /account/qr.svg
//	GET POST  /account/codes            recovery codes, once
//	GET POST  /account/step-up          second factor again, before secrets
//	GET       /account/                 what one has: password, factors, sessions
//	POST      /account/password, app/delete, passkeys, passkeys/delete, codes/new
//	POST      /account/sessions/end, sessions/end-others, logout
//	POST      /account/passkey/login, passkey/show, passkey/add   options for the browser
//
// All of them are forms that work without scripts, but for passkeys, which browsers give to
// scripts alone.
package account

import (
	"context"
	"embed"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/passkey"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/password"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// steppedUpFor is how long after a second factor secrets are shown without another.
const steppedUpFor = 10 * time.Minute

// Renderer answers with a page. [dashboard.Templates] is one, with the pages of [Templates].
type Renderer interface {
	Render(w http.ResponseWriter, r *http.Request, status int, page dashboard.View)
}

//go:embed templates
var templates embed.FS

// Templates are the pages that a Renderer must know.
func Templates() fs.FS {
	own, err := fs.Sub(templates, "templates")
	if err != nil {
		panic(err) // it is embedded
	}
	return own
}

// Options holds what a Server needs. Queue, Sealer, Renderer and Process are required.
type Options struct {
	// Queue returns the open queue, nil while it is not open.
	Queue func() queue.Store
	// Sealer returns what seals users and sessions, nil while there is no key.
	Sealer func() subscribers.Sealer
	// Renderer answers with pages.
	Renderer Renderer
	// Process holds what outlives a configuration.
	Process *Process
	// Name is what authenticator apps call the account. Default: Webhooks.
	Name string
	// Origin returns the origin of the pages as a browser sees it, as https://example.com,
	// to which passkeys belong. Default: [Origin].
	Origin func(r *http.Request) string
	// Client returns the address from which a request came. Default: the connection's.
	Client func(r *http.Request) string
	// AuditFor is how long it is kept who did what. Default: [subscribers.DefaultAuditFor].
	AuditFor time.Duration
	// Now is the clock. Default: [time.Now].
	Now func() time.Time
	// Log gets what is wrong on our side. Default: none.
	Log *zap.Logger
}

// Process holds what outlives a configuration: how often was guessed, passkeys that are
// being shown, and the places in which passwords are hashed. Its memory is bounded.
type Process struct {
	hasher hasher
	limits *limits
	keys   passkey.Keys
}

// hasher hashes passwords. [password.Hasher] is one.
type hasher interface {
	Hash(ctx context.Context, password string) (string, error)
	Matches(ctx context.Context, hash, password string) (ok, stale bool, err error)
}

// NewProcess returns what a process has one of. Hashes cost what params say.
func NewProcess(params password.Params, now func() time.Time) *Process {
	return &Process{hasher: password.NewHasher(params), limits: newLimits(), keys: passkey.Keys{Now: now}}
}

// Server knows the users of one running configuration. Use [New].
type Server struct {
	options Options
	pages   http.Handler
}

// New returns a server.
func New(options Options) *Server {
	if options.Name == "" {
		options.Name = "Webhooks"
	}
	if options.Origin == nil {
		options.Origin = Origin
	}
	if options.Client == nil {
		options.Client = func(r *http.Request) string {
			host, _, err := net.SplitHostPort(r.RemoteAddr)
			if err != nil {
				return r.RemoteAddr
			}
			return host
		}
	}
	if options.AuditFor == 0 {
		options.AuditFor = subscribers.DefaultAuditFor
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Log == nil {
		options.Log = zap.NewNop()
	}
	s := &Server{options: options}
	s.pages = s.routes()
	return s
}

// Origin returns the origin of a request's page: HTTPS, which something before the server may
// speak, but for the machine itself.
func Origin(r *http.Request) string {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if r.TLS == nil && (host == "localhost" || strings.HasSuffix(host, ".localhost")) {
		return "http://" + r.Host
	}
	return "https://" + r.Host
}

// Person returns who makes a request for a page of webhooks: somebody who has logged in
// with a second factor. All others must see a page of ours first.
func (s *Server) Person(r *http.Request) (dashboard.Person, error) {
	v, err := s.visit(nil, r)
	if err != nil {
		return dashboard.Person{}, err
	}
	if at := v.place(); at != placeOpen {
		return dashboard.Person{}, &dashboard.Elsewhere{Path: withBack(at.path(), backOf(r))}
	}
	if err := v.used(); err != nil {
		return dashboard.Person{}, &dashboard.Elsewhere{Path: withBack(pathLogin, backOf(r))}
	}
	return v.person(), nil
}

// StepUp returns the path of the page that asks for a second factor again.
func (s *Server) StepUp(back string) string { return withBack(pathStepUp, back) }

// Pages serves what is below /account/.
func (s *Server) Pages() http.Handler { return s.pages }

// backOf returns where somebody comes back to from another page. What was sent by a form
// is not sent again: they come back to the beginning.
func backOf(r *http.Request) string {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return ""
	}
	return r.URL.RequestURI()
}

// withBack returns a path with where to come back to.
func withBack(path, back string) string {
	if back == "" || back == pathHome || !dashboard.IsBack(back) {
		return path
	}
	return path + "?" + url.Values{"back": {back}}.Encode()
}

// Interface guard
var _ dashboard.Gate = (*Server)(nil)
