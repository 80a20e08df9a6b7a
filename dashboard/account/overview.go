// SPDX-License-Identifier: Apache-2.0

package account

import (
	"net/http"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/factor"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/password"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/users"
)

// accountPage is what somebody has: a password, second factors, sessions.
type accountPage struct {
	Name, Tenant string
	Operator     bool
	App          bool
	// Passkeys are those that there are; MorePasskeys is true if there may be another.
	Passkeys     []passkeyRow
	MorePasskeys bool
	// Removable is true if a second factor can be removed, as it is not the only one.
	Removable bool
	// Left is how many recovery codes are left of Codes; Few is true if new ones are due.
	Left, Codes int
	Few         bool
	Sessions    []sessionRow
	// Others is true if there are sessions besides this one.
	Others                              bool
	OldError, PasswordError, AgainError string
	PasskeyError                        string
	// Done says what was done, "" for nothing.
	Done string
}

type passkeyRow struct {
	ID, Name      string
	Created, Used time.Time
}

type sessionRow struct {
	ID, Device, Address string
	Seen                time.Time
	Current, Pending    bool
}

// fewCodes is how few recovery codes are left when new ones are due.
const fewCodes = 3

// dones are what was done, as the page before says.
var dones = map[string]string{
	"password": "Your password is changed, and all other sessions have ended.", "app": "The authenticator app is removed.",
	"passkey": "The passkey is removed.", "session": "The session has ended.", "sessions": "All other sessions have ended.",
}

func showAccount(v *visit) error {
	page, err := v.accountPage()
	if err != nil {
		return err
	}
	page.Done = dones[v.r.URL.Query().Get("done")]
	return v.showAccountPage(http.StatusOK, page)
}

func (v *visit) showAccountPage(status int, page *accountPage) error {
	view := dashboard.View{Name: "account", Title: "Account", Section: "account", Data: page, Scripts: []string{"account.js"}}
	v.options.Renderer.Render(v.w, v.r, status, view.For(v.person()))
	return nil
}

// accountPage reads what the visitor has.
func (v *visit) accountPage() (*accountPage, error) {
	u := v.user
	page := &accountPage{
		Name: u.Name, Tenant: u.Tenant, Operator: u.Operator(), App: u.App != nil, MorePasskeys: len(u.Passkeys) < users.MaxPasskeys,
		Removable: removable(u), Left: len(u.Recovery), Codes: factor.RecoveryCodes, Few: len(u.Recovery) <= fewCodes,
	}
	for _, p := range u.Passkeys {
		page.Passkeys = append(page.Passkeys, passkeyRow{hexOf(p.ID), p.Name, p.Created, p.Used})
	}
	sessions, err := v.current.List(v.r.Context(), u.ID)
	if err != nil {
		return nil, err
	}
	for i := range sessions {
		s := &sessions[i]
		if !valid(s, u) {
			continue
		}
		row := sessionRow{s.ID, s.Device, s.Address, s.Seen, s.ID == v.current.Session.ID, !s.Full}
		page.Sessions = append(page.Sessions, row)
		page.Others = page.Others || !row.Current
	}
	return page, nil
}

// changePassword sets another password, and ends all other sessions.
func changePassword(v *visit) error {
	if wait := v.options.Process.limits.password(v.user.Name, v.from(), v.now); wait > 0 {
		return tooMany.after(wait)
	}
	page, err := v.accountPage()
	if err != nil {
		return err
	}
	sent := v.r.PostForm
	old, err := password.Normal(sent.Get("old"))
	ok := err == nil
	if ok {
		if ok, _, err = v.options.Process.hasher.Matches(v.r.Context(), v.user.Password, old); err != nil {
			return err
		}
	}
	if !ok {
		page.OldError = wrongOld
		return v.showAccountPage(http.StatusForbidden, page)
	}
	v.options.Process.limits.right(v.user.Name, v.from())
	normal, err := password.Choose(sent.Get("password"), v.user.Name)
	if page.PasswordError = passwordError(err); page.PasswordError != "" {
		return v.showAccountPage(http.StatusUnprocessableEntity, page)
	}
	if err != nil {
		return err
	}
	if sent.Get("again") != sent.Get("password") {
		page.AgainError = notTheSame
		return v.showAccountPage(http.StatusUnprocessableEntity, page)
	}
	hash, err := v.options.Process.hasher.Hash(v.r.Context(), normal)
	if err != nil {
		return err
	}
	was := v.user.Password
	return v.revoked(func(u *users.User) error {
		if u.Password != was {
			return &meanwhile // it was changed at this moment
		}
		u.Password = hash
		return nil
	}, "user.password", "password")
}

// revoked changes the visitor, ends all sessions, and goes on with this one under a new
// token.
func (v *visit) revoked(change func(u *users.User) error, action, done string) error {
	u, err := v.book.Change(v.r.Context(), v.user.ID, func(u *users.User) error {
		if !valid(v.current.Session, u) {
			return &meanwhile // all sessions were ended at this moment
		}
		u.Revoke()
		return change(u)
	}, v.noting(action))
	if err != nil {
		return err
	}
	v.user, v.current.Session.Generation = &u, u.Generation
	if err := v.current.Rotate(v.w); err != nil {
		return err
	}
	return v.leave(pathAccount + "?done=" + done)
}
