// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// errLedAway is the reason of a record: the answer names no object, and says nothing of
// what was done.
var errLedAway = errors.New("the answer redirects neither to an object nor back, as to a page to log in: " +
	"if the API has done what it was asked, say so with `success` and the status, else with `refused`")

// redirected returns what a redirect (301, 302, 303) that answers the request says about
// the change; usual if it is none.
func (x *exchange) redirected(usual event.Outcome) event.Outcome {
	if usual != event.OutcomeChanged || x.tee.status < 300 || x.tee.answer.location == "" {
		return usual
	}
	request := x.request.HTTP.URL
	target, err := request.Parse(x.tee.answer.location)
	if err != nil {
		return event.OutcomeUnknown
	}
	return ledTo(x.tee.status, request, target, x.location() != nil, x.showsObject())
}

// ledTo decides what a redirect to a target means. Own says that the target is a place of
// this API, and object that it is that of an object.
//
// A form is answered with a redirect when it is done: to the object, or back to where
// it was sent or to what contains that. But a client that is not logged in is led away,
// too, and anybody can send such requests; so all other places confirm nothing. And the
// client that is told for good that the same place is spelled otherwise, with a slash at
// its end or over TLS, has to ask again there.
func ledTo(status int, request, target *url.URL, own, object bool) event.Outcome {
	from, to := placeOf(request), placeOf(target)
	switch {
	case status == http.StatusMovedPermanently && from == to:
		return event.OutcomeUnchanged
	case !own:
		return event.OutcomeUnknown
	case object, to != "" && strings.HasPrefix(from+"/", to+"/"):
		return event.OutcomeChanged
	}
	return event.OutcomeUnknown
}

// placeOf returns a URL's path without what servers leave out at its end: a slash, and
// what follows a semicolon, such as a session.
func placeOf(u *url.URL) string {
	path, _, _ := strings.Cut(u.EscapedPath(), ";")
	return strings.TrimRight(path, "/")
}

// showsObject reports whether the response's Location is the place of an object of any
// resource.
func (x *exchange) showsObject() bool {
	target := x.location()
	if target == nil {
		return false
	}
	if _, ok := x.fromLocation(); ok {
		return true
	}
	for _, r := range x.watcher.opts.Rules.Resources {
		if _, ok := r.KeyAt(target.EscapedPath(), nil); ok {
			return true
		}
	}
	return false
}

// ledAway reports whether the answer is a redirect that says nothing of what was done.
func (x *exchange) ledAway() bool {
	return x.redirected(event.OutcomeChanged) == event.OutcomeUnknown
}
