// SPDX-License-Identifier: Apache-2.0

package event

import (
	"crypto/sha256"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Claims are what the headers of a delivery say about its event. Most payloads do
// not repeat them, so no signature over the body covers them.
type Claims struct {
	Type, Object, Sequence, Op, Freshness, Changed string
}

// Claims returns what is claimed of the event. A value that no header can hold is
// not sent, and is empty.
func (e *Event) Claims() Claims {
	return Claims{
		Type:      headerValue(e.Type),
		Object:    headerValue(e.Key.String()),
		Sequence:  strconv.FormatUint(e.Sequence, 10),
		Op:        headerValue(string(e.Op)),
		Freshness: headerValue(string(e.Freshness)),
		Changed:   e.Changed.Header(),
	}
}

func headerValue(text string) string {
	if !httpguts.ValidHeaderFieldValue(text) {
		return ""
	}
	// A transport trims what it sends.
	return strings.Trim(text, " \t")
}

// committed is how many characters of the hash an id has: 130 bits, of which
// nobody finds a second text with the same.
const committed = 26

// DeliveryID is the value of webhook-id: the event's id, "_", and a hash of the
// id and the claims, by which the signatures that cover webhook-id cover the
// claims too. The id is in the hash and not known before the event, so that
// nobody can choose an object's name such that two events have one hash.
//
// An event from before there were such hashes goes on by its id alone, so that a
// repeat has the id of the first attempt.
func (e *Event) DeliveryID() string {
	if e.Uncommitted {
		return e.ID
	}
	c := e.Claims()
	text := strings.Join([]string{e.ID, c.Type, c.Object, c.Sequence, c.Op, c.Freshness, c.Changed}, "\n")
	sum := sha256.Sum256([]byte(text))
	return e.ID + "_" + idEncoding.EncodeToString(sum[:])[:committed]
}

// IDOf returns the id of the event that a value of webhook-id is of. An event's
// own id is returned as it is.
func IDOf(deliveryID string) string {
	at := len(deliveryID) - committed - 1
	if at < 0 || deliveryID[at] != '_' || !strings.Contains(deliveryID[:at], "_") {
		return deliveryID
	}
	return deliveryID[:at]
}
