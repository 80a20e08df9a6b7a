// SPDX-License-Identifier: Apache-2.0

package account

import (
	"errors"
	"net/http"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/password"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/users"
)

// welcomePage is the page to which one-time links lead. The code of a link stands behind a
// #, which browsers send to nobody: so it is in no log, and in no Referer. A script puts it
// into the field; without scripts people do.
type welcomePage struct{ Code, CodeError, PasswordError, AgainError string }

func (v *visit) showWelcomePage(status int, page welcomePage) error {
	return v.bare(status, "welcome", "Set your password", page)
}

func showWelcome(v *visit) error { return v.showWelcomePage(http.StatusOK, welcomePage{}) }

// postWelcome sets a password by the code of a link.
func postWelcome(v *visit) error {
	if wait := v.options.Process.limits.address(v.from(), v.now); wait > 0 {
		return tooMany.after(wait)
	}
	page := welcomePage{Code: strings.TrimSpace(v.r.PostForm.Get("code"))}
	u, err := v.book.ByLink(v.r.Context(), page.Code)
	if errors.Is(err, users.ErrBadLink) {
		return v.showWelcomePage(http.StatusForbidden, welcomePage{CodeError: wrongLink})
	}
	if err != nil {
		return err
	}
	normal, err := password.Choose(v.r.PostForm.Get("password"), u.Name)
	if page.PasswordError = passwordError(err); page.PasswordError != "" {
		return v.showWelcomePage(http.StatusUnprocessableEntity, page)
	}
	if err != nil {
		return err
	}
	if v.r.PostForm.Get("again") != v.r.PostForm.Get("password") {
		page.AgainError = notTheSame
		return v.showWelcomePage(http.StatusUnprocessableEntity, page)
	}
	hash, err := v.options.Process.hasher.Hash(v.r.Context(), normal)
	if err != nil {
		return err
	}
	u, err = v.book.UseLink(v.r.Context(), page.Code, hash, v.noting("user.password"))
	if errors.Is(err, users.ErrBadLink) {
		return v.showWelcomePage(http.StatusForbidden, welcomePage{CodeError: wrongLink})
	}
	if err != nil {
		return err
	}
	if err := v.began(&u, false, "login.begin", "link"); err != nil {
		return err
	}
	return v.goOn()
}
