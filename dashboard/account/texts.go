// SPDX-License-Identifier: Apache-2.0

package account

import (
	"errors"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/passkey"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/password"
)

// The words of the pages are here and in templates/, and nowhere else: here are those that
// a value decides.

// Why something is not done.
var (
	unavailable = problem{Status: http.StatusServiceUnavailable, Title: "The queue does not answer", Text: "Accounts cannot be read at the moment.", Remedy: "Try again in a moment."}
	broken      = problem{Status: http.StatusInternalServerError, Title: "Something is wrong on our side", Text: "It was noted for whoever runs this service.", Remedy: "Try again later."}
	tooBusy     = problem{Status: http.StatusServiceUnavailable, Title: "Too many sign in at once", Text: "Nothing was changed.", Remedy: "Try again in a moment."}
	tooMany     = problem{Status: http.StatusTooManyRequests, Title: "That was too often", Text: "Too much was tried in a short time.", Remedy: "Wait some minutes, and try again."}
	unread      = problem{Status: http.StatusBadRequest, Title: "The form cannot be read", Text: "Nothing was changed.", Remedy: "Go back, reload the page, and send it again."}
	foreign     = problem{Status: http.StatusForbidden, Title: "The request came from another site", Text: "Nothing was changed: what changes something must come from a page of this dashboard.", Remedy: "Open the dashboard itself, and do it there."}
	lost        = problem{Status: http.StatusNotFound, Title: "There is no such page", Text: "It never was here.", Remedy: "Begin with your webhooks."}
	wrongMethod = problem{Status: http.StatusMethodNotAllowed, Title: "That cannot be done here", Text: "The page is there, and takes no such request.", Remedy: "Begin with your webhooks."}
	meanwhile   = problem{Status: http.StatusConflict, Title: "It was changed meanwhile", Text: "Somebody has changed it at this moment, perhaps you in another window. Nothing was done.", Remedy: "Open the page again, and see what is different."}
	lastFactor  = problem{Status: http.StatusConflict, Title: "It is your only second factor", Text: "A password alone does not open webhooks.", Remedy: "Add another one first."}
	noPasskeys  = problem{Status: http.StatusConflict, Title: "You have as many passkeys as are possible", Text: "Nothing was changed.", Remedy: "Remove one that you do not use any more."}
)

// What is asked before something is destroyed.
var (
	askDeleteApp     = question{Question: "Remove the authenticator app?", Text: "Its codes do not work any more.", Yes: "Remove the app", No: "Keep it"}
	askDeletePasskey = question{Question: "Remove the passkey?", Text: "It does not sign in any more. The device may go on offering it; delete it there, too.", Yes: "Remove the passkey", No: "Keep it"}
	askNewCodes      = question{Question: "Make new recovery codes?", Text: "Those that are left do not work any more.", Yes: "Make new ones", No: "Keep those that are left"}
	askEndOthers     = question{Question: "End all other sessions?", Text: "Whoever uses one has to sign in again.", Yes: "End all others", No: "Keep them"}
)

// What is wrong with a field.
const (
	wrongLogin    = "The username or the password is not right."
	wrongCode     = "The code is not right, was used already, or is too old. Use the one that the app shows now."
	wrongRecovery = "That is no recovery code of yours that is left."
	lockedCodes   = "Too many codes were wrong, so none is taken any more. Use a passkey, or ask whoever runs this service for a new link."
	wrongLink     = "The code does not work: it was used, has ended, or is not whole. Ask whoever runs this service for a new link."
	wrongOld      = "That is not your password."
	notTheSame    = "The two are not the same."
	wrongPasskey  = "The passkey was not accepted."
	noSite        = "Passkeys need HTTPS and a host with a name."
)

// passwordError returns what is told of a password that cannot be chosen, "" for an error
// that is ours.
func passwordError(err error) string {
	if !errors.Is(err, password.ErrUnusable) {
		return ""
	}
	return sentence(strings.TrimPrefix(err.Error(), password.ErrUnusable.Error()+": "))
}

// passkeyError returns what is told of a passkey that was not accepted, "" for an error
// that is ours.
func passkeyError(err error) string {
	switch {
	case errors.Is(err, passkey.ErrRefused):
		return wrongPasskey
	case errors.Is(err, passkey.ErrSite):
		return noSite
	}
	return ""
}

// sentence writes words as a sentence.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:] + "."
}

// unknownDevice is what a browser is called that does not say what it is.
const unknownDevice = "Unknown device"

var (
	// browsers and systems are what browsers call themselves. The first that is found
	// counts, as most name others, too.
	browsers = [][2]string{{"Edg", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"Chrome/", "Chrome"}, {"CriOS/", "Chrome"}, {"Safari/", "Safari"}, {"curl/", "curl"}}
	systems  = [][2]string{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"CrOS", "ChromeOS"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"}}
)

// device returns in a few words what a browser says that it is. They are ours, and none of
// the browser's.
func device(agent string) string {
	name := func(of [][2]string) string {
		for _, one := range of {
			if strings.Contains(agent, one[0]) {
				return one[1]
			}
		}
		return ""
	}
	browser, system := name(browsers), name(systems)
	switch {
	case browser == "" && system == "":
		return unknownDevice
	case system == "":
		return browser
	case browser == "":
		return system
	}
	return browser + " on " + system
}
