// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/users"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// UserView is somebody who may log in to the dashboard.
type UserView struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Tenant is whose webhooks the user sees; without one, the user is an operator.
	Tenant   string    `json:"tenant,omitempty"`
	Operator bool      `json:"operator,omitempty"`
	Created  time.Time `json:"created,omitzero"`
	Login    time.Time `json:"login,omitzero"`
	// Status is invited, enrolling, active, locked or unreadable.
	Status string `json:"status"`
	// Factors are the second factors that there are: app, passkey.
	Factors []string `json:"factors,omitempty"`
	// LinkEnds is when the link to set a password ends, if it was not used yet.
	LinkEnds time.Time `json:"link_ends,omitzero"`
	// Code is that of the link. It is there once, in the answer to the request that made it.
	Code string `json:"code,omitempty"`
}

// How users stand.
const (
	userInvited    = "invited"    // has not set a password yet
	userEnrolling  = "enrolling"  // has no second factor yet
	userActive     = "active"     // can log in
	userLocked     = "locked"     // too many codes were wrong: see reset
	userUnreadable = "unreadable" // was sealed with a key that is lost: see reset
)

func newUserView(u *users.User, code string) UserView {
	view := UserView{ID: u.ID, Name: u.Name, Tenant: u.Tenant, Operator: u.Operator(), Created: u.Created, Login: u.Login, Status: userActive, Code: code}
	switch {
	case u.Unreadable:
		view.Status = userUnreadable
	case u.Password == "":
		view.Status = userInvited
	case !u.Enrolled():
		view.Status = userEnrolling
	case u.Locked():
		view.Status = userLocked
	}
	if u.App != nil {
		view.Factors = append(view.Factors, "app")
	}
	for range u.Passkeys {
		view.Factors = append(view.Factors, "passkey")
	}
	if u.Link != nil {
		view.LinkEnds = u.Link.Ends
	}
	return view
}

// userBook returns the book of users, and the parameters of a request.
func (s *Server) userBook(r *http.Request, takes ...string) (*users.Book, url.Values, error) {
	store, err := s.store()
	if err != nil {
		return nil, nil, err
	}
	keyring := s.Pipeline.Keyring()
	if keyring == nil {
		return nil, nil, errNotOpen
	}
	values, err := parseMeant(r, takes)
	return &users.Book{Store: store, Sealer: keyring, Now: time.Now}, values, err
}

// users lists users: of a `tenant`, the `operators`, or all.
func (s *Server) users(w http.ResponseWriter, r *http.Request) error {
	takes := append([]string{"tenant", "operators"}, pageParameters...)
	book, values, err := s.userBook(r, takes...)
	if err != nil {
		return err
	}
	q, err := parseQuery(r, takes, queue.DefaultLimit)
	if err != nil {
		return err
	}
	var of *string
	if values.Has("tenant") || values.Has("operators") {
		tenant, err := ownerOf(values, "operators")
		if err != nil {
			return err
		}
		of = &tenant
	}
	rows, next, err := book.List(r.Context(), of, q.page)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, list(rows, next, func(u users.User) any { return newUserView(&u, "") }))
}

// ownerOf returns the tenant that parameters name, "" for operators. They must name one or
// the other: a user of nobody's would be an operator by mistake.
func ownerOf(values url.Values, operator string) (string, error) {
	tenant, flag := values.Get("tenant"), values.Get(operator)
	switch {
	case flag != "" && flag != "true":
		return "", fmt.Errorf("%w: %s is true, or left out", errBadQuery, operator)
	case tenant == "" && flag == "":
		return "", fmt.Errorf("%w: say whose webhooks the user sees, as tenant=acme, or %s=true", errBadQuery, operator)
	case tenant != "" && flag != "":
		return "", fmt.Errorf("%w: a user is of a tenant, or an operator, and not both", errBadQuery)
	}
	return tenant, nil
}

// linkFor reads how long a link works.
func linkFor(values url.Values) (time.Duration, error) {
	text := values.Get("for")
	if text == "" {
		return users.LinkFor, nil
	}
	d, err := caddy.ParseDuration(text)
	if err != nil || d <= 0 || d > users.MaxLinkFor {
		return 0, fmt.Errorf("%w: for is how long the link works, as 24h or 3d, and %d days at most, not %q", errBadQuery, int(users.MaxLinkFor.Hours()/24), text)
	}
	return d, nil
}

// createUser makes a user with a `name`, of a `tenant` or an `operator`, with a link to set
// a password that works `for` so long.
func (s *Server) createUser(w http.ResponseWriter, r *http.Request) error {
	book, values, err := s.userBook(r, "name", "tenant", "operator", "for")
	if err != nil {
		return err
	}
	tenant, err := ownerOf(values, "operator")
	if err != nil {
		return err
	}
	works, err := linkFor(values)
	if err != nil {
		return err
	}
	u, code, err := book.Add(r.Context(), values.Get("name"), tenant, works, noting("user.create", r))
	switch {
	case errors.Is(err, users.ErrBadName):
		return fmt.Errorf("%w: %w", errBadQuery, err)
	case errors.Is(err, users.ErrExists):
		return refuse(http.StatusConflict, "%w; see caddy webhooks users list", err)
	case err != nil:
		return err
	}
	return writeJSON(w, http.StatusOK, newUserView(&u, code))
}

// resetUser has a user begin anew, with a link that works `for` so long.
func (s *Server) resetUser(w http.ResponseWriter, r *http.Request) error {
	book, values, err := s.userBook(r, "for")
	if err != nil {
		return err
	}
	works, err := linkFor(values)
	if err != nil {
		return err
	}
	u, err := named(book, r)
	if err != nil {
		return err
	}
	u, code, err := book.Reset(r.Context(), u.ID, works, noting("user.reset", r))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, newUserView(&u, code))
}

// deleteUser removes a user, and ends the user's sessions.
func (s *Server) deleteUser(w http.ResponseWriter, r *http.Request) error {
	book, _, err := s.userBook(r)
	if err != nil {
		return err
	}
	u, err := named(book, r)
	if err == nil {
		err = book.Remove(r.Context(), u.ID, noting("user.delete", r))
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// named returns the user whose name is in a request's path.
func named(book *users.Book, r *http.Request) (users.User, error) {
	u, err := book.ByName(r.Context(), r.PathValue("name"))
	if errors.Is(err, queue.ErrNotFound) {
		return u, refuse(http.StatusNotFound, "there is no user %q", r.PathValue("name"))
	}
	return u, err
}

// noting returns what is written with a change of a user, to say that an operator did it.
func noting(action string, r *http.Request) users.With {
	return func(u *users.User) ([]queue.Record, error) {
		record, err := audit(action, u.ID+" ("+u.Name+")", u.Tenant, r)
		return []queue.Record{record}, err
	}
}
