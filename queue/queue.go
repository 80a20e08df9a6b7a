// SPDX-License-Identifier: Apache-2.0

// Package queue says what the durable queue must do. Everything in the module
// passes through it: the handler notes intents and resolves them into marks,
// reconcile leases marks and commits what it found, the emitter leases
// deliveries and records attempts. Each verb is atomic, and none leaks how an
// engine stores what it keeps.
//
// Work that a crash interrupts is found again by the engine's next start:
// leases live no longer than the process, everything else does.
//
// The suite in queuetest holds an engine to these words.
package queue

import (
	"context"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Store is the whole of an engine. Its users each ask for the part they need.
type Store interface {
	Intents
	Marks
	Deliveries
	History

	// Instance returns what tells this queue from any other. It is made when
	// the queue is first opened and never changes.
	Instance() Instance

	// Close ends all waiting calls with [ErrClosed], makes what was
	// acknowledged durable, and releases the engine. It is idempotent.
	Close() error
}

// Instance identifies a queue and keys its hashes.
type Instance struct {
	// ID is random; it makes event ids unique across queues.
	ID [16]byte
	// HashKey is random and secret; snapshots hold Shows only as hashes made
	// with it.
	HashKey [32]byte
}

// Intents is what the handler needs of the queue.
type Intents interface {
	// NoteIntent records that an exchange may change something, and returns
	// the number by which to resolve it. When it returns, the intent survives
	// what the configured durability says. The intent's own ID is ignored.
	//
	// Where it fails with a number, as when ctx ends too early, the intent may
	// be open all the same, and is to be resolved like any other.
	NoteIntent(ctx context.Context, intent Intent) (IntentID, error)

	// ResolveIntent closes an intent and marks objects, in one step. With an
	// id of 0, or one that is no longer open, it only marks.
	//
	// With durable, it returns when the marks survive what the configured
	// durability says. Without, it returns at once and may be lost by a crash
	// as a whole: then the intent is open again at the next start, which
	// brings its object back. Use that only where the intent names the object.
	ResolveIntent(ctx context.Context, id IntentID, resolution Resolution, durable bool) error

	// StaleIntents returns open intents, oldest first, that need looking into:
	// those of an earlier process, which nobody will resolve any more, and
	// those of this one whose Deadline is not zero and has passed. They stay
	// open, and are returned again, until resolved.
	StaleIntents(ctx context.Context, limit int) ([]Intent, error)
}

// IntentID numbers an intent. 0 is none.
type IntentID uint64

// Intent is the durable note, written before forwarding, that an exchange may
// change something.
type Intent struct {
	// ID numbers the intent; later intents have higher numbers.
	ID IntentID
	// Resource is the resource of the rule that matched.
	Resource string
	// Kind is what the request means to do.
	Kind event.Kind
	// Rule is the rule that matched, as "PATCH /items/:id".
	Rule string
	// Key names the object, where the request does; otherwise it is zero.
	Key event.Key
	// Noted is when the exchange began.
	Noted time.Time
	// Deadline is when the API can no longer commit what it was asked. Zero
	// where only the response can tell the object: then there is nothing to do
	// before the exchange ends, or the process does.
	Deadline time.Time
	// Abandoned is true for an intent of an earlier process: its exchange is
	// over. NoteIntent ignores it.
	Abandoned bool
}

// Resolution is what became of an intent.
type Resolution struct {
	// Marks names the objects that may differ now. A mark of an object that is
	// marked already is merged with it, and moves its generation.
	Marks []Mark
	// Unresolved, when not empty, keeps the intent as a record for the
	// operator, with this reason: something may have changed and nothing tells
	// which object.
	Unresolved string
}

// Mark is the durable note that an object may differ from what was last known.
type Mark struct {
	// Key names the object.
	Key event.Key
	// Hints tell what the exchange meant to do.
	Hints Hints
	// Version is the object's version as a write's response told it, or "".
	Version string
	// Cause is the exchange, for the event.
	Cause event.Cause
	// SettleAt is when the API can no longer commit late. A reconciliation
	// asked for earlier may publish, but does not clear the mark: the object
	// is reconciled once more at SettleAt. Zero for a change that the API has
	// confirmed.
	SettleAt time.Time
}

// Hints are facts about a mark that outlive merging.
type Hints uint8

const (
	// HintCreated: an exchange said that it created the object.
	HintCreated Hints = 1 << iota
	// HintDeleted: the API confirmed a delete of the object.
	HintDeleted
	// HintMayBeDeleted: a delete of the object was asked for, and its outcome
	// is unknown.
	HintMayBeDeleted
	// HintMayBeCreated: a create of the object was asked for, and its outcome
	// is unknown.
	HintMayBeCreated
	// HintUpdated: the API confirmed an update of the object.
	HintUpdated
)

// Has tells whether all of the given hints are set.
func (h Hints) Has(hints Hints) bool {
	return h&hints == hints
}

// Marks is what reconcile needs of the queue.
type Marks interface {
	// LeaseMark waits until a mark of the resource is due, and leases it: no
	// other lease of the same object is given until it is committed, retried,
	// or the lease time has passed. Marks that are due longest come first.
	LeaseMark(ctx context.Context, resource string, lease time.Duration) (MarkLease, error)

	// CommitReconciled writes the snapshot, the events and their deliveries in
	// one step, durably. It clears the mark if its generation has not moved
	// since the lease and its SettleAt has passed by reconciled.AskedAt;
	// otherwise the mark stays: due at once if the generation moved, else at
	// SettleAt. Of a mark that stays because its generation moved, only the
	// hints that came after the lease stay: the others have been acted upon.
	// Until SettleAt, what may yet be done or seen stays too: HintDeleted,
	// HintMayBeDeleted and HintMayBeCreated. It fails with [ErrLeaseLost] and
	// changes nothing when the lease is no longer held.
	CommitReconciled(ctx context.Context, lease MarkLease, reconciled Reconciled) error

	// RetryMark gives a lease back: the mark stays and is due again at the
	// given time (or at once, if its generation moved), with one more try and
	// the reason recorded. Without a reason nothing failed, and no try counts.
	RetryMark(ctx context.Context, lease MarkLease, at time.Time, reason string) error
}

// MarkLease is the right to reconcile one object.
type MarkLease struct {
	Mark
	// Generation counts the marks of the object that were merged into this.
	Generation uint64
	// Tries counts the failed reconciliations since the mark was last clear.
	Tries int
	// MarkedAt is when the oldest mark merged into this was made.
	MarkedAt time.Time
	// Snapshot is what was last known of the object, nil if nothing is.
	Snapshot *event.Snapshot
	// Fence tells this lease from any other of the object.
	Fence uint64
}

// Reconciled is what reconciling found.
type Reconciled struct {
	// AskedAt is when Show was asked for.
	AskedAt time.Time
	// Snapshot replaces the object's snapshot; nil leaves it.
	Snapshot *event.Snapshot
	// Events follow, in sequence.
	Events []Routed
}

// Routed is an event and the endpoints it goes to.
type Routed struct {
	event.Event
	// Endpoints names the endpoints, which may be none.
	Endpoints []string
}

// Deliveries is what the emitter needs of the queue.
//
// The deliveries of one endpoint and one object are a lane: at most one of
// them is leased at a time, in the order of their events, and one that waits
// for a retry holds back those behind it and nothing else.
type Deliveries interface {
	// LeaseDelivery waits until the head of one of the endpoint's lanes is
	// due, and leases it.
	LeaseDelivery(ctx context.Context, endpoint string, lease time.Duration) (DeliveryLease, error)

	// FinishAttempt records an attempt and decides the delivery, in one step.
	// It may be lost by a crash, and then the delivery is attempted again. It
	// fails with [ErrLeaseLost] and changes nothing when the lease is no
	// longer held.
	FinishAttempt(ctx context.Context, lease DeliveryLease, attempt Attempt, verdict Verdict) error

	// ReleaseDelivery gives a lease back without an attempt; the delivery is
	// due again at once.
	ReleaseDelivery(ctx context.Context, lease DeliveryLease) error
}

// DeliveryLease is the right to attempt one delivery.
type DeliveryLease struct {
	Delivery
	// Event is what is delivered. When its retention has passed, Expired is
	// true and only Event.ID and Event.Key are set.
	Event   event.Event
	Expired bool
	// Fence tells this lease from any other of the lane.
	Fence uint64
}

// Status is where a delivery stands.
type Status string

const (
	// StatusPending: not delivered yet; it is tried, or waits for its turn.
	StatusPending Status = "pending"
	// StatusDelivered: the receiver answered with success.
	StatusDelivered Status = "delivered"
	// StatusDead: all attempts failed.
	StatusDead Status = "dead"
)

// Delivery is one event on its way to one endpoint.
type Delivery struct {
	// EventID and EventType name the event.
	EventID   string `json:"event_id"`
	EventType string `json:"event_type"`
	// Key and Sequence are the event's.
	Key      event.Key `json:"-"`
	Sequence uint64    `json:"sequence"`
	// Endpoint names the endpoint.
	Endpoint string `json:"endpoint"`
	// Status is where the delivery stands.
	Status Status `json:"status"`
	// Attempts counts the attempts made.
	Attempts int `json:"attempts"`
	// CreatedAt is when the event was committed.
	CreatedAt time.Time `json:"created_at"`
	// DueAt is when the next attempt is due; zero unless pending.
	DueAt time.Time `json:"due_at,omitzero"`
	// FinishedAt is when the delivery was decided; zero while pending.
	FinishedAt time.Time `json:"finished_at,omitzero"`
}

// Verdict decides a delivery after an attempt.
type Verdict struct {
	// Status is StatusDelivered, StatusDead, or StatusPending for one more
	// attempt at RetryAt.
	Status  Status
	RetryAt time.Time
}

// Attempt is one HTTP try of a delivery.
type Attempt struct {
	// EventID and Endpoint name the delivery. FinishAttempt takes them, and
	// Number, from the lease.
	EventID  string `json:"event_id"`
	Endpoint string `json:"endpoint"`
	// Number counts the delivery's attempts from 1.
	Number int `json:"number"`
	// At is when the attempt began.
	At time.Time `json:"at"`
	// Duration is how long it took, in nanoseconds.
	Duration time.Duration `json:"duration_ns"`
	// Code is the HTTP status the receiver answered with, 0 if none came.
	Code int `json:"code,omitempty"`
	// Error says in words what failed; it holds no path or query of the
	// receiver's URL. Empty on success.
	Error string `json:"error,omitempty"`
	// Response is the beginning of the receiver's answer.
	Response []byte `json:"response,omitempty"`
}

// History is what operators' views need of the queue. All lists are newest
// first.
type History interface {
	// Events lists events.
	Events(ctx context.Context, filter Filter, page Page) ([]event.Event, Cursor, error)
	// Event returns one event, or [ErrNotFound].
	Event(ctx context.Context, id string) (event.Event, error)
	// Deliveries lists deliveries by their events' age.
	Deliveries(ctx context.Context, filter Filter, page Page) ([]Delivery, Cursor, error)
	// Attempts lists attempts by their events' age, then by number.
	Attempts(ctx context.Context, filter Filter, page Page) ([]Attempt, Cursor, error)
	// Unresolved lists what changed without telling which object.
	Unresolved(ctx context.Context, page Page) ([]Unresolved, Cursor, error)
	// Pending lists marks that are not reconciled yet, in no particular order.
	Pending(ctx context.Context, limit int) ([]PendingMark, error)
	// Stats counts what is in the queue now.
	Stats(ctx context.Context) (Stats, error)
}

// Filter narrows a list; empty fields do not. A list ignores what its rows do
// not have.
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

// Page says which part of a list is wanted.
type Page struct {
	// Cursor is where the last page ended. A malformed one is [ErrBadCursor].
	Cursor Cursor
	// Limit is how many rows are wanted, [DefaultLimit] if 0, at most
	// [MaxLimit].
	Limit int
}

// Bounds of a page.
const (
	DefaultLimit = 50
	MaxLimit     = 1000
)

// Unresolved is an intent that was closed without knowing its object.
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
}

// Stats counts what is in the queue.
type Stats struct {
	// OpenIntents counts exchanges that are under way or not resolved yet.
	OpenIntents int `json:"open_intents"`
	// Unresolved counts kept intents whose object is not known.
	Unresolved int `json:"unresolved"`
	// Marks counts objects that wait for reconciling; FailingMarks those of
	// them that were tried and failed; OldestMark is when the oldest was made.
	Marks        int       `json:"marks"`
	FailingMarks int       `json:"failing_marks"`
	OldestMark   time.Time `json:"oldest_mark,omitzero"`
	// PendingDeliveries and Lanes count by endpoint.
	PendingDeliveries map[string]int `json:"pending_deliveries"`
	Lanes             map[string]int `json:"lanes"`
}
