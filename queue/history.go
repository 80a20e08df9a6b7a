// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// History lists what the queue holds, for operators. Lists are newest first. Where few rows
// of many match a filter, a page has fewer than its limit, or none, and a cursor all the
// same: whoever wants more goes on from there.
type History interface {
	// Events lists events in the order in which they were committed: one that
	// is committed later stands before all that could be listed earlier.
	Events(ctx context.Context, filter Filter, page Page) ([]event.Event, Cursor, error)
	// EventsOf lists the events of a tenant's feed, see [event.Event.InFeedOf], in the
	// order of Events. They have neither their payloads nor their previous Shows. What
	// others have costs nothing, and a page looks at no more than [MaxEventsLooked] events:
	// so one may be short, or empty, although there is a next one. The filter's EventID
	// does not count.
	EventsOf(ctx context.Context, tenant string, filter Filter, page Page) ([]event.Event, Cursor, error)
	// Event returns one event, or [ErrNotFound].
	Event(ctx context.Context, id string) (event.Event, error)
	// EventOf returns one event if a tenant may have it, see [event.Event.VisibleTo], or
	// [ErrNotFound]. What is another tenant's takes the same work as what is not there, so
	// that nobody learns from it which events there are.
	EventOf(ctx context.Context, tenant, id string) (event.Event, error)
	// DeliveriesOf returns the deliveries of one event to some endpoints, in the order in
	// which these are named. To look for them takes the same work whether or not there is
	// such an event, and however many other endpoints there are.
	DeliveriesOf(ctx context.Context, eventID string, endpoints ...string) ([]Delivery, error)
	// LastEvent returns the last event of an object of those that a tenant's feed has, see
	// [event.Event.InFeedOf], or [ErrNotFound]. It looks at no more than [MaxLastLooked] of
	// them, and at none of others, so that nobody learns from it which objects there are.
	LastEvent(ctx context.Context, tenant string, key event.Key) (event.Event, error)
	// Deliveries lists deliveries by their events' age, then by their
	// endpoints' names. They stay listed when their events have expired, but
	// are not found by EventID then.
	Deliveries(ctx context.Context, filter Filter, page Page) ([]Delivery, Cursor, error)
	// DeliveriesTo lists those to some endpoints, as Deliveries lists those to all. The filter's
	// EventID and Endpoint do not count. It costs nothing how many others there are.
	DeliveriesTo(ctx context.Context, endpoints []string, filter Filter, page Page) ([]Delivery, Cursor, error)
	// Attempts lists attempts as Deliveries lists theirs, then by number.
	Attempts(ctx context.Context, filter Filter, page Page) ([]Attempt, Cursor, error)
	// Unresolved lists intents that were closed without their object, about in
	// the order of time.
	Unresolved(ctx context.Context, page Page) ([]Unresolved, Cursor, error)
	// Pending lists marks that are not reconciled yet, in no particular order
	// and without looks.
	Pending(ctx context.Context, limit int) ([]PendingMark, error)
	// Stats counts what is in the queue. The figures may be some seconds old;
	// those of an engine of one process are exact.
	Stats(ctx context.Context) (Stats, error)
}

// Filter narrows a list. Empty fields do not, nor do fields that the rows of the
// list do not have.
type Filter struct {
	EventID  string
	Type     string
	Key      event.Key
	Endpoint string
	Status   Status
}

// Cursor marks a place in a list, for the next page. "" is the beginning as a
// parameter and the end as a result. It is opaque and safe in a URL.
type Cursor string

// Page selects a part of a list.
type Page struct {
	// Cursor is where the last page ended. A malformed one is [ErrBadCursor].
	Cursor Cursor
	// Limit is the number of rows, [DefaultLimit] if 0, at most [MaxLimit].
	Limit int
}

// MaxEventsLooked limits how many events one call of [History.EventsOf] looks at.
const MaxEventsLooked = 2000

// Limits of a page.
const (
	DefaultLimit = 50
	MaxLimit     = 1000
)

// CommittedWithin is how much later than it was found an event is committed at most: a
// reading that takes longer than its lease of two minutes commits nothing. Events are
// listed in the order of their commits, so one may have been found before one that stands
// behind it.
const CommittedWithin = 5 * time.Minute

// MaxLastLooked is how many events of a tenant are looked at for the last one of an object.
const MaxLastLooked = 10_000

// Unresolved is an intent that was closed without its object.
type Unresolved struct {
	Intent
	// Reason says what was missing.
	Reason string
	// At is when the intent was closed.
	At time.Time
}

// PendingMark is a mark as operators see it.
type PendingMark struct {
	Key        event.Key
	Generation uint64
	Tries      int
	MarkedAt   time.Time
	DueAt      time.Time
	Leased     bool
	// LastError is the reason of the last retry.
	LastError string
	// Rule and Outcome are of the last exchange that led here. With an unknown
	// outcome the object is looked at until SettleAt, when the API can no
	// longer commit late.
	Rule     string
	Outcome  event.Outcome
	SettleAt time.Time
}

// Stats counts what is in the queue.
type Stats struct {
	// OpenIntents counts exchanges that are under way or not resolved yet.
	OpenIntents int `json:"open_intents"`
	// Unresolved counts records of intents that were closed without their object.
	Unresolved int `json:"unresolved"`
	// Marks counts objects that wait for reconciling; FailingMarks those of
	// them that were tried and failed; OldestMark is when the oldest was
	// made of those that are not unconfirmed (see [Hints.AreUnconfirmed]).
	Marks        int       `json:"marks"`
	FailingMarks int       `json:"failing_marks"`
	OldestMark   time.Time `json:"oldest_mark,omitzero"`
	// Looks counts objects that are only to be looked at, now or later. They
	// are in none of the three above.
	Looks int `json:"looks"`
	// PendingDeliveries and Lanes count by endpoint. They are nil while they are
	// not known yet, for some moments after a queue was opened.
	PendingDeliveries map[string]int `json:"pending_deliveries"`
	Lanes             map[string]int `json:"lanes"`
}
