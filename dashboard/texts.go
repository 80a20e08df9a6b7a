// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The words of the pages are here, for those of operators in operator_texts.go, and in
// templates/, and nowhere else: here are those that a value decides.

// Why a page is not shown.
var (
	errLost        = &failure{http.StatusNotFound, "There is no such page", "It may have been deleted, or it never was here.", "Begin with your webhooks."}
	errWrongMethod = &failure{http.StatusMethodNotAllowed, "That cannot be done here", "The page is there, and takes no such request.", "Begin with your webhooks."}
	errSignedOut   = &failure{http.StatusUnauthorized, "Nobody is signed in", "These pages are for those who are signed in, and yours has ended or never began.", "Sign in where you came from, and come back."}
	errForeign     = &failure{http.StatusForbidden, "The request came from another site", "Nothing was changed: what changes something must come from a page of this dashboard.", "Open the dashboard itself, and do it there."}
	errTooLarge    = &failure{http.StatusRequestEntityTooLarge, "The form is too large", "Nothing was changed.", "Use shorter texts."}
	errUnread      = &failure{http.StatusBadRequest, "The form cannot be read", "Nothing was changed.", "Go back, reload the page, and send it again."}
	errUnavailable = &failure{http.StatusServiceUnavailable, "The queue does not answer", "This cannot be shown or done at the moment. What changes meanwhile is noted and sent later; nothing is lost by this.", "Try again in a moment."}
	errTooMany     = &failure{http.StatusTooManyRequests, "That was too often", "There is a limit on how much one may ask for in a minute.", "Wait a moment, and try again."}
	errChanged     = &failure{http.StatusPreconditionFailed, "It was changed meanwhile", "Somebody else has changed it since you opened the page. Nothing of yours was saved.", "Open it again, and see what is different."}
	errBroken      = &failure{http.StatusInternalServerError, "Something is wrong on our side", "It was noted for whoever runs this service.", "Try again later."}
)

// state is how something stands: always an icon, a word and a colour.
type state struct {
	Icon, Word string
	// Class is the colour: ok, wait for what goes on by itself, warn for what mends
	// itself, bad for what waits for a person, "" for the rest.
	Class string
}

// healthStates are how webhooks fare.
var healthStates = map[string]state{
	"active":   {"ok", "Delivering", "ok"},
	"retrying": {"retry", "Retrying", "wait"},
	"failing":  {"warn", "Failing", "warn"},
	"disabled": {"stop", "Disabled", "bad"},
	"paused":   {"pause", "Paused", ""},
}

// feedOnly is how a webhook fares to which nothing is sent.
var feedOnly = state{"feed", "Read by its feed", ""}

// deliveryStates are how deliveries stand.
var deliveryStates = map[string]state{
	"pending":    {"clock", "Waiting", "wait"},
	"delivered":  {"ok", "Delivered", "ok"},
	"dead":       {"stop", "Dead", "bad"},
	"superseded": {"skip", "Superseded", ""},
	"cancelled":  {"minus", "Cancelled", ""},
	"filtered":   {"skip", "Filtered", ""},
}

func stateOf(states map[string]state, name string) state {
	if s, known := states[name]; known {
		return s
	}
	return state{"ask", name, ""}
}

// attempt states.
var (
	attemptAccepted = state{"ok", "Accepted", "ok"}
	attemptRefused  = state{"stop", "Failed", "bad"}
	attemptLost     = state{"stop", "No answer", "bad"}
)

// formatNames are what payload formats are called, and signatureNames ways of signing.
var (
	formatNames = map[string]string{
		"show": "The object as it is", "standard": "Standard Webhooks", "gateway": "Gateway envelope", "cloudevents": "CloudEvents",
		"thin": "Thin: only the id", "fields": "Some of its fields", "patch": "Patch (RFC 6902)", "merge": "Merge patch (RFC 7396)",
	}
	signatureNames = map[string]string{
		"standard": "Standard Webhooks", "rfc9421": "HTTP Message Signatures (RFC 9421)", "x-signature": "X-Signature", "none": "None",
	}
	orderNames = map[string]string{
		"object": "Each object's events in order", "endpoint": "All events in order", "none": "No order",
	}
	authNames = map[string]string{"none": "None", "basic": "Basic", "bearer": "Bearer", "header": "Header"}
	authHints = map[string]string{ //nolint:gosec // they say what a credential is, and are none
		"none": "No Authorization header is sent", "basic": "A username and a password, with each delivery",
		"bearer": "A token, with each delivery", "header": "A header of its own, with each delivery",
	}
)

// auditNames are what the actions of the audit are called.
var auditNames = map[string]string{
	"endpoint.create": "Webhook added", "endpoint.change": "Webhook edited", "endpoint.delete": "Webhook deleted", "endpoint.pause": "Webhook paused",
	"endpoint.resume": "Webhook resumed", "endpoint.enable": "Webhook enabled", "endpoint.disable": "Webhook disabled", "endpoint.rotate": "Signature key replaced",
	"endpoint.revoke": "Replaced signature key ended", "endpoint.snapshot": "Snapshot begun", "endpoint.snapshot.cancel": "Snapshot ended",
	"endpoint.recover": "Dead deliveries sent again", "endpoint.replay": "Events sent again", "endpoint.test": "Sample sent", "type.echo": "Payload of one's own sent",
	"delivery.resend": "Delivery sent again", "object.resend": "Object sent again", "key.create": "API key made", "key.delete": "API key ended",
	"user.create": "User made", "user.reset": "User reset", "user.delete": "User removed", "user.password": "Password set", "user.enrol": "Second factor added",
	"user.unenrol": "Second factor removed", "user.codes": "Recovery codes made", "user.sessions": "Sessions ended", "login.begin": "Password accepted",
	"login": "Signed in", "login.refuse": "Sign-in refused", "step-up": "Confirmed again", "step-up.refuse": "Confirmation refused", "logout": "Signed out",
}

// named returns what something is called.
func named(names map[string]string, word string) string {
	if name := names[word]; name != "" {
		return name
	}
	return word
}

// fieldNames are what the fields of the form are called, in summaries of errors.
var fieldNames = map[string]string{
	"label": "Webhook Label", "url": "Hook URL", "events": "Events", "username": "Username", "password": "Password", "token": "Token", "header": "Header",
	"authentication": "Authentication", "signature": "Signature", "source_key": "Key", "payload": "Payload", "filter": "Filter", "order": "Order",
	"rate": "Rate", "headers": "Headers", "begin": "Begin", "overlap": "Old key", "since": "Since", "type": "Event type", "object": "Object", "until": "Until", "after": "Cursor",
}

// sentence writes words as a sentence.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(text)
	text = string(unicode.ToUpper(first)) + text[size:]
	if !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "…") {
		text += "."
	}
	return text
}

// counted writes a number with its noun.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(n) + " " + many
}
