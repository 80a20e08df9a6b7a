// SPDX-License-Identifier: Apache-2.0

package account

import (
	"bytes"
	"errors"
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/factor"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/users"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// secondPage is the page to show a second factor.
type secondPage struct {
	Back, Name, Action string
	// StepUp is true if it is asked for again, and not to log in.
	StepUp bool
	// App, Passkeys and Recovery say what the user has.
	App, Passkeys, Recovery                bool
	CodeError, RecoveryError, PasskeyError string
}

func (v *visit) secondPage(stepUp bool) *secondPage {
	page := &secondPage{
		Back: v.back(), Name: v.user.Name, Action: pathSecond, StepUp: stepUp,
		App: v.user.App != nil, Passkeys: len(v.user.Passkeys) > 0, Recovery: len(v.user.Recovery) > 0,
	}
	if stepUp {
		page.Action = pathStepUp
	}
	return page
}

func (v *visit) showSecondPage(status int, page *secondPage) error {
	title := "Second factor"
	if page.StepUp {
		title = "Confirm that it is you"
	}
	return v.bare(status, "second", title, page)
}

func showSecond(v *visit) error { return v.showSecondPage(http.StatusOK, v.secondPage(false)) }

// postSecond takes the second factor of who logs in.
func postSecond(v *visit) error {
	page := v.secondPage(false)
	u, err := v.confirm(page, "login")
	if errors.Is(err, errWrong) {
		return v.showSecondPage(http.StatusForbidden, page)
	}
	if err != nil {
		return err
	}
	v.user, v.current.Session.Full, v.current.Session.SteppedUp = &u, true, v.now.UTC()
	if err := v.current.Rotate(v.w); err != nil {
		return err
	}
	return v.goOn()
}

func showStepUp(v *visit) error { return v.showSecondPage(http.StatusOK, v.secondPage(true)) }

// postStepUp takes a second factor again.
func postStepUp(v *visit) error {
	page := v.secondPage(true)
	_, err := v.confirm(page, "step-up")
	if errors.Is(err, errWrong) {
		return v.showSecondPage(http.StatusForbidden, page)
	}
	if err != nil {
		return err
	}
	v.current.Session.SteppedUp = v.now.UTC()
	if err := v.current.Rotate(v.w); err != nil {
		return err
	}
	return v.leave(v.back())
}

// confirm takes the second factor that was sent, and notes it as an action. It fails with
// [errWrong], and says in the page what is wrong.
func (v *visit) confirm(page *secondPage, action string) (users.User, error) {
	limits := v.options.Process.limits
	if wait := limits.code(v.user.ID, v.now); wait > 0 {
		return users.User{}, tooMany.after(wait)
	}
	var check func(u *users.User) bool
	changed := "app"
	switch sent := v.r.PostForm; {
	case sent.Get("credential") != "":
		shown, err := v.options.Process.keys.Confirmed(v.site(), v.user, []byte(sent.Get("credential")))
		if page.PasskeyError = passkeyError(err); page.PasskeyError != "" {
			return users.User{}, v.refused(true, v.user, v.user.Name, action+".refuse")
		}
		if err != nil {
			return users.User{}, err
		}
		was := v.user.Passkey(shown.ID).Credential
		changed, check = "passkey", func(u *users.User) bool {
			kept := u.Passkey(shown.ID)
			if kept == nil || !bytes.Equal(kept.Credential, was) {
				return false
			}
			*kept = shown
			return true
		}
	case v.user.Locked():
		page.CodeError = lockedCodes
		return users.User{}, errWrong
	case sent.Get("recovery") != "":
		page.RecoveryError = wrongRecovery
		changed, check = "recovery", func(u *users.User) (ok bool) {
			u.Recovery, ok = factor.UseRecoveryCode(u.ID, u.Recovery, sent.Get("recovery"))
			return ok
		}
	default:
		page.CodeError = wrongCode
		check = func(u *users.User) bool { return u.App != nil && u.App.Use(sent.Get("code"), v.now) }
	}
	u, err := v.tried(check, action, changed)
	if err == nil {
		limits.codes.Forget(v.user.ID)
	}
	return u, err
}

// tried checks a second factor in the same step in which it is used up, so that of several
// requests that show the same code at once, one is right.
func (v *visit) tried(check func(u *users.User) bool, action, changed string) (users.User, error) {
	right := false
	u, err := v.book.Change(v.r.Context(), v.user.ID, func(u *users.User) error {
		if !valid(v.current.Session, u) {
			return errWrong
		}
		if right = check(u); !right {
			u.Misses++
			return nil
		}
		u.Misses = 0
		if !v.current.Session.Full {
			u.Login = v.now.UTC()
		}
		return nil
	}, func(u *users.User) ([]queue.Record, error) {
		if !right {
			return nil, nil
		}
		record, err := v.audit(u, action, changed)
		return []queue.Record{record}, err
	})
	if err == nil && !right {
		err = v.refused(true, v.user, v.user.Name, action+".refuse")
	}
	return u, err
}

// optionsToShow answers with what a browser needs to have one of the user's passkeys shown.
func optionsToShow(v *visit) error {
	options, err := v.options.Process.keys.Confirm(v.site(), v.user)
	return v.answerOptions(options, err)
}
