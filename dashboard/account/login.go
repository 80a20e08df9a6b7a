// SPDX-License-Identifier: Apache-2.0

package account

import (
	"bytes"
	"errors"
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/password"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/users"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// loginPage is the page to log in.
type loginPage struct {
	Back, User, Error string
	// Ended is true for who comes from a page that is for those who have logged in.
	Ended bool
}

func showLogin(v *visit) error {
	if v.place() != placeLogin {
		return v.goOn()
	}
	return v.bare(http.StatusOK, "login", "Sign in", loginPage{Back: v.back(), Ended: v.r.URL.Query().Get("ended") != ""})
}

// postLogin takes a password, or a passkey alone.
func postLogin(v *visit) error {
	if answer := v.r.PostForm.Get("credential"); answer != "" {
		return v.logInByPasskey([]byte(answer))
	}
	typed := v.r.PostForm.Get("user")
	u, err := v.checkPassword(typed, v.r.PostForm.Get("password"))
	if errors.Is(err, errWrong) {
		// What was typed is shown again: it is as it was sent, whether or not it is a name.
		return v.bare(http.StatusForbidden, "login", "Sign in", loginPage{Back: v.back(), User: typed, Error: wrongLogin})
	}
	if err != nil {
		return err
	}
	if err := v.began(&u, false, "login.begin", "password"); err != nil {
		return err
	}
	return v.goOn()
}

// errWrong is returned for what is not right: it says no more.
var errWrong = errors.New("it is not right")

// checkPassword returns the user of a name whose password is right, or [errWrong]. What it
// does, and so how long it takes, is the same for a name that nobody has: the same limits,
// as many reads, one hash, and one note in the audit.
func (v *visit) checkPassword(typed, secret string) (users.User, error) {
	name, err := users.NormalName(typed)
	if err != nil {
		name = "" // which nobody has
	}
	if wait := v.options.Process.limits.password(name, v.from(), v.now); wait > 0 {
		return users.User{}, tooMany.after(wait)
	}
	u, err := v.book.ByName(v.r.Context(), name)
	known := err == nil
	if err != nil && !errors.Is(err, queue.ErrNotFound) {
		return users.User{}, err
	}
	normal, err := password.Normal(secret)
	possible := err == nil
	ok, stale, err := v.options.Process.hasher.Matches(v.r.Context(), u.Password, normal)
	if err != nil {
		return users.User{}, err
	}
	if !ok || !possible {
		return users.User{}, v.refused(known, &u, name, "login.refuse")
	}
	v.options.Process.limits.right(name, v.from())
	if stale {
		return v.rehash(&u, normal)
	}
	return u, nil
}

// refused notes that something was refused, and returns [errWrong]. Names that nobody has are
// not noted: they may be passwords that were typed into the wrong field.
func (v *visit) refused(known bool, u *users.User, name, action string) error {
	if !v.options.Process.limits.notes(name, v.now) {
		return errWrong
	}
	who := *u
	if !known {
		who = users.User{Name: "nobody"}
	}
	record, err := v.audit(&who, action)
	if err == nil {
		_, err = v.book.Store.Change(v.r.Context(), record)
	}
	if err != nil {
		return err
	}
	return errWrong
}

// rehash keeps a password that was right by a hash of today's parameters.
func (v *visit) rehash(u *users.User, normal string) (users.User, error) {
	hash, err := v.options.Process.hasher.Hash(v.r.Context(), normal)
	if err != nil {
		return users.User{}, err
	}
	was := u.Password
	return v.book.Change(v.r.Context(), u.ID, func(u *users.User) error {
		if u.Password != was {
			return errWrong // it was changed at this moment
		}
		u.Password = hash
		return nil
	}, nil)
}

// optionsToLogIn answers with what a browser needs to have a passkey shown.
func optionsToLogIn(v *visit) error {
	if wait := v.options.Process.limits.address(v.from(), v.now); wait > 0 {
		return tooMany.after(wait)
	}
	options, err := v.options.Process.keys.LogIn(v.site())
	return v.answerOptions(options, err)
}

// answerOptions answers a script with the options of a ceremony.
func (v *visit) answerOptions(options []byte, err error) error {
	if text := passkeyError(err); text != "" {
		v.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		v.w.WriteHeader(http.StatusConflict)
		_, err = v.w.Write([]byte(text))
		return err
	}
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "application/json")
	_, err = v.w.Write(options)
	return err
}

// logInByPasskey logs in by a passkey, which is two factors: the authenticator, and what it
// knows its user by.
func (v *visit) logInByPasskey(answer []byte) error {
	if wait := v.options.Process.limits.address(v.from(), v.now); wait > 0 {
		return tooMany.after(wait)
	}
	find := func(id string) (users.User, error) { return v.book.Get(v.r.Context(), id) }
	u, shown, err := v.options.Process.keys.LoggedIn(v.site(), answer, find)
	if text := passkeyError(err); text != "" {
		if err := v.refused(false, &users.User{}, "", "login.refuse"); !errors.Is(err, errWrong) {
			return err
		}
		return v.bare(http.StatusForbidden, "login", "Sign in", loginPage{Back: v.back(), Error: text})
	}
	if err != nil {
		return err
	}
	was := u.Passkey(shown.ID).Credential
	u, err = v.book.Change(v.r.Context(), u.ID, func(u *users.User) error {
		kept := u.Passkey(shown.ID)
		if kept == nil || !bytes.Equal(kept.Credential, was) {
			return &meanwhile // it was removed, or shown elsewhere, at this moment
		}
		*kept, u.Misses, u.Login = shown, 0, v.now.UTC()
		return nil
	}, nil)
	if err != nil {
		return err
	}
	if err := v.began(&u, true, "login", "passkey"); err != nil {
		return err
	}
	return v.goOn()
}

// logout ends the session.
func logout(v *visit) error {
	if v.user != nil {
		record, err := v.audit(v.user, "logout")
		if err != nil {
			return err
		}
		if err := v.current.End(v.w, record); err != nil {
			return err
		}
	} else if err := v.current.End(v.w); err != nil {
		return err
	}
	return v.leave(pathLogin)
}
