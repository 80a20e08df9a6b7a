// SPDX-License-Identifier: Apache-2.0

package account

import (
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/factor"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/users"
)

// enrolPage is the page to set up an authenticator app, or the first passkey.
type enrolPage struct {
	Back, Key, CodeError, PasskeyError string
	// First is true if there is no second factor yet.
	First bool
}

func (v *visit) showEnrolPage(status int, page enrolPage) error {
	page.Back, page.Key, page.First = v.back(), v.current.Session.App.Grouped(), !v.user.Enrolled()
	title := "Set up two-factor"
	if !page.First {
		title = "Set up an authenticator app"
	}
	return v.bare(status, "enrol", title, page)
}

// showEnrol shows the secret of a new app. It stays the same until the app is set up, so
// that a page that is loaded again does not make what was scanned worthless.
func showEnrol(v *visit) error {
	if err := v.prepareApp(); err != nil {
		return err
	}
	return v.showEnrolPage(http.StatusOK, enrolPage{})
}

func (v *visit) prepareApp() error {
	if v.current.Session.App != nil {
		return nil
	}
	app, err := factor.NewApp()
	if err != nil {
		return err
	}
	v.current.Session.App = &app
	return v.current.Save()
}

// showQR shows the secret as a code to scan.
func showQR(v *visit) error {
	if v.current.Session.App == nil {
		return &lost
	}
	image, err := v.current.Session.App.QR(v.options.Name, v.user.Name)
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "image/svg+xml")
	_, err = v.w.Write(image)
	return err
}

// postEnrol takes the first code of a new app, which shows that it has the secret.
func postEnrol(v *visit) error {
	if err := v.prepareApp(); err != nil {
		return err
	}
	app := *v.current.Session.App
	if !app.Use(v.r.PostForm.Get("code"), v.now) {
		return v.showEnrolPage(http.StatusForbidden, enrolPage{CodeError: wrongCode})
	}
	return v.enrolled("app", func(u *users.User) error {
		u.App = &app
		return nil
	})
}

// errTooMany is returned for a passkey more than are possible.
var errTooMany = errors.New("there are as many passkeys as are possible")

// addPasskey takes a new passkey.
func addPasskey(v *visit) error {
	made, err := v.options.Process.keys.Registered(v.site(), v.user, []byte(v.r.PostForm.Get("credential")), passkeyName(v.r.PostForm.Get("name"), v.r.UserAgent()))
	if text := passkeyError(err); text != "" {
		return v.showPasskeyError(text)
	}
	if err != nil {
		return err
	}
	err = v.enrolled("passkey", func(u *users.User) error {
		switch {
		case len(u.Passkeys) >= users.MaxPasskeys:
			return errTooMany
		case u.Passkey(made.ID) != nil:
			return &meanwhile // it is registered already
		}
		u.Passkeys = append(u.Passkeys, made)
		return nil
	})
	if errors.Is(err, errTooMany) {
		return &noPasskeys
	}
	return err
}

// showPasskeyError shows the page on which a passkey was to be made.
func (v *visit) showPasskeyError(text string) error {
	if v.user.Enrolled() {
		page, err := v.accountPage()
		if err != nil {
			return err
		}
		page.PasskeyError = text
		return v.showAccountPage(http.StatusForbidden, page)
	}
	if err := v.prepareApp(); err != nil {
		return err
	}
	return v.showEnrolPage(http.StatusForbidden, enrolPage{PasskeyError: text})
}

// passkeyName returns what a passkey is called: as its user says, or as the device that
// made it.
func passkeyName(name, agent string) string {
	name = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return -1
		}
		return r
	}, name))
	if name == "" {
		name = device(agent)
	}
	for len(name) > users.MaxPasskeyName {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return name
}

// enrolled keeps a new second factor, with recovery codes if there are none, and goes on
// with a session under a new token.
func (v *visit) enrolled(what string, add func(u *users.User) error) error {
	var codes []string
	u, err := v.book.Change(v.r.Context(), v.user.ID, func(u *users.User) error {
		first := !u.Enrolled()
		switch {
		case !valid(v.current.Session, u):
			return &meanwhile // all sessions were ended at this moment
		case !first && !v.current.Session.Full:
			return &meanwhile // another request was first, and this one has shown no second factor
		}
		codes = nil
		if len(u.Recovery) == 0 {
			codes, u.Recovery = factor.NewRecoveryCodes(u.ID)
		}
		if first {
			u.Login, u.Misses = v.now.UTC(), 0
		}
		return add(u)
	}, v.noting("user.enrol", what))
	if err != nil {
		return err
	}
	s := v.current.Session
	v.user, s.App, s.Full, s.SteppedUp = &u, nil, true, v.now.UTC()
	if codes != nil {
		s.Codes = codes
	}
	if err := v.current.Rotate(v.w); err != nil {
		return err
	}
	if v.place() == placeOpen && v.back() == pathHome {
		return v.leave(pathAccount) // it was another one
	}
	return v.goOn()
}

// optionsToAdd answers with what a browser needs to make a passkey.
func optionsToAdd(v *visit) error {
	options, err := v.options.Process.keys.Register(v.site(), v.user)
	return v.answerOptions(options, err)
}
