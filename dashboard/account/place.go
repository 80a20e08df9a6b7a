// SPDX-License-Identifier: Apache-2.0

package account

import (
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/session"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/users"
)

// Paths of pages.
const (
	pathHome    = "/"
	pathAccount = "/account/"
	pathLogin   = "/account/login"
	pathSecond  = "/account/second"
	pathEnrol   = "/account/enrol"
	pathCodes   = "/account/codes"
	pathWelcome = "/account/welcome"
	pathStepUp  = "/account/step-up"
)

// place is how far somebody is on the way to the pages of webhooks.
type place int

const (
	// placeLogin: nobody has logged in.
	placeLogin place = iota
	// placeSecond: the password was right, and a second factor is to be shown.
	placeSecond
	// placeEnrol: the password was right, and there is no second factor yet.
	placeEnrol
	// placeCodes: new recovery codes are shown until they are kept.
	placeCodes
	// placeOpen: the pages are open.
	placeOpen
)

// path returns the path of the page to see at a place.
func (p place) path() string {
	return [...]string{pathLogin, pathSecond, pathEnrol, pathCodes, pathHome}[p]
}

// placeOf returns how far the user of a session is; both are nil for nobody.
func placeOf(s *session.Session, u *users.User) place {
	switch {
	case s == nil || u == nil:
		return placeLogin
	case !u.Enrolled():
		return placeEnrol
	case !s.Full:
		return placeSecond
	case len(s.Codes) > 0:
		return placeCodes
	}
	return placeOpen
}

// valid reports whether a session is one of a user's: it has not been ended with all that
// there were.
func valid(s *session.Session, u *users.User) bool {
	return s.User == u.ID && s.Generation == u.Generation && !u.Unreadable
}

// steppedUp reports whether a second factor was shown a short time ago.
func steppedUp(s *session.Session, now time.Time) bool {
	return s.Full && now.Sub(s.SteppedUp) < steppedUpFor
}
