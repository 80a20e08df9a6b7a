// SPDX-License-Identifier: Apache-2.0

// Package event holds the vocabulary of the module and its pure policy: what
// identifies an object, when two Shows differ, which events a difference makes.
// It does no I/O and reads no clock.
package event

import (
	"time"
)

// Kind is what a rule's request means to do to an object. What really happened
// follows from the snapshot and the Show.
type Kind string

// The kinds of rules that change objects.
const (
	KindCreate Kind = "create"
	KindUpdate Kind = "update"
	KindDelete Kind = "delete"
	// KindMove ends one object and makes another. It is a rule's as it is written:
	// compiled, it is one that deletes and one that creates.
	KindMove Kind = "move"
)

// Outcome is what the end of an exchange reveals about the change it may have
// made.
type Outcome string

const (
	// OutcomeChanged: the API confirmed that it did what was asked.
	OutcomeChanged Outcome = "changed"
	// OutcomeUnchanged: the API refused, or was never reached.
	OutcomeUnchanged Outcome = "unchanged"
	// OutcomeUnknown: the API may have done it, or may still do it: 5xx, 499,
	// an aborted or cut exchange, a timeout, a crash.
	OutcomeUnknown Outcome = "unknown"
)

// Op is what happened to an object between two published states of it.
type Op string

// The operations of events.
const (
	OpCreate Op = "create"
	OpChange Op = "change"
	OpDelete Op = "delete"
	// OpSnapshot is no change: an endpoint that begins with a snapshot is told how the
	// object is. The event has the sequence of the object's last one, so the next change
	// follows it.
	OpSnapshot Op = "snapshot"
	// OpTest is the operation of an event that somebody made up to try a receiver. It is of
	// no object, and is for those alone to whom it was sent.
	OpTest Op = "test"
)

// Freshness says how an event's Show was proven to be no older than the change
// that caused it.
type Freshness string

const (
	// FreshnessVersion: the Show carries a version that is not older than any
	// version seen before, in Shows or in the responses to writes.
	FreshnessVersion Freshness = "version"
	// FreshnessETag: the Show has the ETag that the write's response had.
	FreshnessETag Freshness = "etag"
	// FreshnessUnproven: nothing in the Show reveals its age; a lagging replica
	// or cache may have answered.
	FreshnessUnproven Freshness = "unproven"
)

// Cause is the exchange that led to an event.
type Cause struct {
	// Rule is the rule that matched, as "PATCH /items/:id".
	Rule string `json:"rule,omitempty"`
	// Outcome is how the exchange ended.
	Outcome Outcome `json:"outcome,omitempty"`
	// At is when the exchange was noted.
	At time.Time `json:"at,omitzero"`
	// Method and Path are the request's own, as "PATCH" and "/items/42". The
	// path is without its query, which may hold data that must not be kept, and
	// has at most [MaxPathLength] bytes.
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`
	// Resource is the resource whose rule matched, if the exchange touched an
	// object of another resource; otherwise it is empty.
	Resource string `json:"resource,omitempty"`
	// TraceParent is the exchange's place in its trace, in the form of W3C
	// Trace Context; empty if Caddy traced nothing.
	TraceParent string `json:"traceparent,omitempty"`
	// Hops lists the endpoints through which the exchange came, if it was
	// itself a delivery; see package emitter/hop. Otherwise it is empty.
	Hops string `json:"hops,omitempty"`
}

// Event is an immutable fact about one object.
type Event struct {
	// ID is the same whenever the same change is found again, so that a
	// receiver can recognise a repeat. It never contains a ".". Receivers see it
	// within [Event.DeliveryID].
	ID string `json:"id"`
	// Type is the configured event type, such as "items.updated".
	Type string `json:"type"`
	// Key names the object.
	Key Key `json:"-"`
	// Sequence counts the object's events from 1 without gaps. With [OpSnapshot] it is
	// that of the last one, 0 if there was none.
	Sequence uint64 `json:"sequence"`
	// Op is what happened.
	Op Op `json:"op"`
	// Time is when the event was found.
	Time time.Time `json:"time"`
	// Version is the object's version in the Show, if the resource declares
	// one.
	Version string `json:"version,omitempty"`
	// Freshness says how the Show was proven fresh.
	Freshness Freshness `json:"freshness"`
	// Cause is the exchange that led here.
	Cause Cause `json:"cause,omitzero"`
	// Previous holds the previous values of the watched fields, by path. It is
	// nil if the previous state is unknown.
	Previous Fields `json:"previous,omitempty"`
	// PreviousShow is the whole previous Show, if the resource keeps it (`keep
	// show`) and the previous state is known.
	PreviousShow []byte `json:"-"`
	// Changed tells what differs between the previous Show and this one, if the
	// resource keeps it (`keep show`); nil if that is not known.
	Changed Pointers `json:"changed,omitzero"`
	// Base is the sequence of the event that had PreviousShow, 0 if none had or it
	// is not known which.
	Base uint64 `json:"-"`
	// State is the sequence of the last event of the same transition, all of which
	// have the same Show; 0 if it is not known.
	State uint64 `json:"-"`
	// Tenant owns the object, according to Show; empty if the resource names no
	// owner.
	Tenant string `json:"tenant,omitempty"`
	// PreviousTenant owned the object in its previous state, which no other
	// tenant may see. It is [UnknownTenant] if that was not recorded.
	PreviousTenant string `json:"-"`
	// Uncommitted is true if the event is from before ids committed to the
	// claims, see [Event.DeliveryID].
	Uncommitted bool `json:"-"`
	// Audience says who may have the event, of those who may see the object.
	Audience Audience `json:"audience,omitempty"`
	// ContentType is the Show's own.
	ContentType string `json:"content_type,omitempty"`
	// Payload is what a delivery sends: the Show's own bytes.
	Payload []byte `json:"-"`
}

// Snapshot is the last known state of an object.
type Snapshot struct {
	// Key names the object.
	Key Key
	// Sequence is that of the object's last event, 0 if it has had none.
	Sequence uint64
	// Gone is true if the object was last known not to exist.
	Gone bool
	// Hash is the keyed hash of the Show (see [Hasher]); empty when Gone.
	Hash []byte
	// Version is the newest version seen in a Show.
	Version string
	// Watched holds the fields that triggers compare, as raw JSON by path. A
	// path that the Show did not have has an empty value; a path that was not
	// watched then is missing.
	Watched Fields
	// Time is when the snapshot was taken.
	Time time.Time
	// ChangedAt is when the object last changed: when the last snapshot that
	// differs from the one before it was taken.
	ChangedAt time.Time
	// Tenant owns the object, according to the last Show; empty if that named
	// none.
	Tenant string
	// Show is the whole Show and ContentType its type, if the resource keeps it
	// (`keep show`); otherwise both are empty.
	Show        []byte
	ContentType string
	// Hidden is the [Projection.ID] of what was taken out of Show; "" if nothing was,
	// or it was not recorded.
	Hidden string
	// Told is true if Show is that of the event with Sequence. It is false if the
	// object has changed since without an event.
	Told bool
	// Uncertain is true if the object was first seen after an exchange of which
	// nobody knows whether it changed the object. What it was before is not
	// known, so its next confirmed change is announced, whatever its Show says.
	Uncertain bool
	// Structured is true if the Show was one with fields: JSON, XML or a form. It is
	// false for snapshots from before that was recorded.
	Structured bool
	// Deleting is when the API had confirmed a delete of the object and still showed
	// it, zero if it has not: it deletes the object later.
	Deleting time.Time
	// Alias is the ID of the Key that is this object's real name, if this key
	// is another name for it. It is empty for the real one.
	Alias string
}
