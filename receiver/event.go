// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// What an event says has happened to its object.
const (
	OpCreate = "create"
	OpChange = "change"
	OpDelete = "delete"
	// OpSnapshot is the state of an object that was read, not changed. It has the
	// sequence of the object's last event.
	OpSnapshot = "snapshot"
	// OpTest is an event that somebody made up to try the receiver.
	OpTest = "test"
)

// Event is a verified event.
//
// Type, Object, Sequence, Op, Freshness and Changed are what the headers say, and empty
// unless webhook-id commits to them: otherwise whoever can repeat a delivery may have
// changed them.
type Event struct {
	// ID is the event's own id. Repeats have the same.
	ID string
	// Committed reports whether webhook-id commits to the headers.
	Committed bool
	// Type is the event's type, such as "items.updated".
	Type string
	// Object is the object, such as "items/42", with its parts escaped as in a URL.
	Object string
	// Sequence numbers the events of the object, from 1; 0 if the event has no number.
	Sequence uint64
	// Op is what happened, see [OpCreate].
	Op string
	// Freshness is how it was proven that the payload is not stale, "unproven" if it was
	// not.
	Freshness string
	// Changed are the JSON Pointers of what differs from the state before: "" is the
	// whole, none means nothing that may be seen, and nil means that it is not known.
	Changed []string

	// Sent is when this attempt was sent.
	Sent time.Time
	// Header has all headers of the delivery. Only webhook-id and webhook-timestamp are
	// signed, and what webhook-id commits to.
	Header http.Header
	// Body is the payload, as it was signed.
	Body []byte
	// FromFeed reports whether the event was fetched, and not delivered.
	FromFeed bool

	// filtered is true if the endpoint does not want the event: it only takes its number.
	filtered bool
}

// ordered reports whether the event has a place among those of its object.
func (e *Event) ordered() bool { return e.Object != "" && e.Sequence > 0 && e.Op != OpTest }

// claim fills in what the headers say.
func (e *Event) claim(header http.Header) error {
	e.Type = header.Get("webhook-event")
	e.Object = header.Get("webhook-object")
	e.Op = header.Get("webhook-op")
	e.Freshness = header.Get("webhook-freshness")
	if text := header.Get("webhook-sequence"); text != "" {
		sequence, err := strconv.ParseUint(text, 10, 64)
		if err != nil || sequence > math.MaxInt64 {
			return ErrHeaders
		}
		e.Sequence = sequence
	}
	var err error
	e.Changed, err = pointers(header.Get("webhook-changed"))
	return err
}

// pointers reads the header that tells what has changed.
func pointers(text string) ([]string, error) {
	switch text {
	case "":
		return nil, nil
	case "none":
		return []string{}, nil
	case "#":
		return []string{""}, nil
	}
	list := strings.Split(text, ", ")
	for i, encoded := range list {
		pointer, err := url.PathUnescape(strings.TrimPrefix(encoded, "#"))
		if err != nil {
			return nil, ErrHeaders
		}
		list[i] = pointer
	}
	return list, nil
}
