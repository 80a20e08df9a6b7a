// SPDX-License-Identifier: Apache-2.0

// Package factor is what people show beside a password that they type: codes of an
// authenticator app (TOTP, RFC 6238), and recovery codes for who has lost it.
package factor

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
)

// period is how long a code of an app is valid, in seconds, and skew how many periods a
// clock may be wrong. All apps know six digits of SHA-1, and some know nothing else.
const (
	period = 30
	skew   = 1
)

// App is an authenticator app that somebody has set up.
type App struct {
	// Secret is what the app and we know, in base 32.
	Secret string `json:"secret"`
	// Last is the period of the code that was used last. It, and those before, are
	// used up.
	Last uint64 `json:"last,omitempty"`
}

// NewApp returns an app with a new secret.
func NewApp() (App, error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: "x", AccountName: "x"})
	if err != nil {
		return App{}, fmt.Errorf("making the secret of an authenticator app: %w", err)
	}
	return App{Secret: key.Secret()}, nil
}

// Use takes the code that an app shows at a time, and reports whether it is right. A code
// works once: the app that is kept must be the changed one.
func (a *App) Use(code string, now time.Time) bool {
	code = strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' {
			return -1
		}
		return r
	}, code)
	opts := hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}
	current := uint64(max(now.Unix(), 0)) / period
	matched := uint64(0)
	// All are compared, so that the time tells nothing.
	for at := current - min(skew, current); at <= current+skew; at++ {
		if ok, err := hotp.ValidateCustom(code, at, a.Secret, opts); ok && err == nil && at > a.Last {
			matched = at
		}
	}
	if matched == 0 {
		return false
	}
	a.Last = matched
	return true
}

// Grouped returns the secret as people type it.
func (a *App) Grouped() string {
	var groups []string
	for rest := a.Secret; rest != ""; {
		n := min(4, len(rest))
		groups, rest = append(groups, rest[:n]), rest[n:]
	}
	return strings.Join(groups, " ")
}

// errNoSecret is returned for an app that has none.
var errNoSecret = errors.New("the authenticator app has no secret")
