// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// Mark is the durable note that an object may differ from what was last known.
type Mark struct {
	// Key names the object.
	Key event.Key
	// Hints say what the exchange meant to do.
	Hints Hints
	// Version is the object's version as a write's response gave it, or "".
	// Of marks that are merged the newest counts, in whatever order they came.
	Version string
	// Cause is the exchange, for the event.
	Cause event.Cause
	// SettleAt is when the API can no longer commit late. A reconciliation
	// asked for earlier may publish, but does not clear the mark: the object
	// is reconciled once more at SettleAt. Zero for a change that the API has
	// confirmed.
	SettleAt time.Time
	// After is when an unconfirmed mark is due, so that one client's many are due one
	// after the other. Zero for at once. Of marks that are merged the earlier time
	// counts. It is not kept with intents, and means nothing for other marks.
	After time.Time
	// Callback, when not empty, is a sealed receiver that becomes the object's
	// callback in the same step as the mark, if [TakesCallback] says so.
	Callback []byte
}

// IsLook reports whether nobody is known to have asked for a change.
func (m *Mark) IsLook() bool {
	return m.Hints&^HintKnown == HintLooked
}

// Hints are facts about a mark that outlive merging.
type Hints uint16

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
	// HintMayBeUpdated: an update of the object was asked for, and its outcome
	// is unknown. Like the other unknown ones it stays until SettleAt: the
	// update may yet be done.
	HintMayBeUpdated
	// HintLooked: the object was looked at, or is to be looked at, and nobody
	// is known to have asked for a change of it. A mark with this hint and no
	// other, or with HintKnown alone beside it, is a look.
	HintLooked
	// HintKnown: a complete list of the objects had this one, so it is not new
	// even if it was never read.
	HintKnown
	// HintUnconfirmed: all that is known of the change is that somebody asked for
	// it. Its exchange ended without the API's word, as anybody can make it end.
	// Merged with a mark that is neither a look nor unconfirmed, the hint is
	// dropped.
	HintUnconfirmed
	// HintExisted: the API's answer to a delete, or to an update that renames, proves
	// that there was an object. An API may confirm the delete of what it never had.
	HintExisted
)

// AreUnconfirmed reports whether nothing but the word of clients says that there
// may be a change.
func (h Hints) AreUnconfirmed() bool {
	return h.Has(HintUnconfirmed) && h&(HintCreated|HintUpdated|HintDeleted) == 0
}

// Has reports whether all of the given hints are set.
func (h Hints) Has(hints Hints) bool {
	return h&hints == hints
}

// HintsOf returns the hints that an outcome of a rule gives about its object.
func HintsOf(kind event.Kind, outcome event.Outcome) Hints {
	known := outcome == event.OutcomeChanged
	switch {
	case kind == event.KindDelete && known:
		return HintDeleted
	case kind == event.KindDelete:
		return HintMayBeDeleted
	case kind == event.KindCreate && known:
		return HintCreated
	case kind == event.KindCreate:
		return HintMayBeCreated
	case known:
		return HintUpdated
	}
	return HintMayBeUpdated
}

// Marks is what reconcile needs of the queue.
//
// A look is a mark that nobody asked for: all marks merged into it have
// [HintLooked] alone, or it was left by [Reconciled.LookAt]. Looks may be many
// and far in the future. They are durable like marks, but do not count as
// pending, and a mark that somebody asked for goes before them:
//   - Of what is due, such marks are leased first, if they are not unconfirmed:
//     those wait with the looks (see [Hints.AreUnconfirmed]).
//   - Merged with a look that nobody has leased, such a mark begins anew: it
//     is due at once, made now, and never tried.
//   - A look that is merged into such a mark moves its generation, but neither
//     when it is due nor its cause.
type Marks interface {
	// LeaseMark waits until a mark of the resource is due, and leases it: no
	// other lease of the same object is given until it is committed, retried,
	// or the lease time has passed. A lease that passes leaves the mark due
	// since when it was before the lease, whether it is marked again meanwhile
	// or leased anew. Marks that are due longest come first, looks and
	// unconfirmed marks after all others.
	LeaseMark(ctx context.Context, resource string, lease time.Duration) (MarkLease, error)

	// CommitReconciled writes the snapshot, the events and their deliveries in
	// one step, durably. It clears the mark if its generation has not moved
	// since the lease and its SettleAt has passed by reconciled.AskedAt;
	// otherwise the mark stays: due at once if the generation moved, else at
	// SettleAt, or at LookAt if that is sooner. Of a mark that stays because its generation moved, only the
	// hints that came after the lease stay: the others have been acted upon.
	// Until SettleAt, hints of changes that may yet be done or seen stay too:
	// HintDeleted, HintExisted, HintMayBeDeleted, HintMayBeCreated and
	// HintMayBeUpdated. It
	// fails with [ErrLeaseLost] and changes nothing when the lease is no longer
	// held, and with [ErrTooLarge] when it is more than one step can hold.
	//
	// It fails with [ErrStale], changes nothing and keeps the lease when there are
	// events, or a Guard, and Epoch is not the epoch of [KindEndpoint], or Guard's record
	// is not as it has to be. So an endpoint whose Change has returned misses nothing that is
	// committed afterwards.
	CommitReconciled(ctx context.Context, lease MarkLease, reconciled Reconciled) error

	// RetryMark gives a lease back: the mark stays and is due again at the
	// given time (or at once, if its generation moved), with one more try and
	// the reason recorded. A look that came meanwhile does not make the mark
	// due.
	//
	// Without a reason nothing failed, and no try counts. The time is a hint
	// then: an engine may forget it, as when a process ends, and the mark is due
	// as it was before, or at once.
	RetryMark(ctx context.Context, lease MarkLease, at time.Time, reason string) error
}

// MarkLease is the right to reconcile one object.
type MarkLease struct {
	Mark
	// Generation counts the marks of the object that were merged into this.
	Generation uint64
	// Tries counts the failed reconciliations since somebody has asked for the
	// mark last.
	Tries int
	// MarkedAt is when the oldest mark merged into this was made.
	MarkedAt time.Time
	// Began is when the first of the exchanges began that were merged into this and
	// that are not told from each other. Zero if that is not known.
	Began time.Time
	// Snapshot is what was last known of the object, nil if nothing is.
	Snapshot *event.Snapshot
	// Floor is the sequence after which the events of an unknown object begin.
	// It is at least the last one of every forgotten object of the resource, as
	// this may be one of them, and receivers may keep the last sequence that
	// they saw for as long as they like.
	Floor uint64
	// Callback is the object's callback, nil if it has none.
	Callback *Callback
	// Look is true when all merged marks are looks.
	Look bool
	// Fence sets this lease apart from any other of the object.
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
	// Epoch is the epoch of [KindEndpoint] whose endpoints the events were routed
	// to. It means nothing without events and Guard.
	Epoch uint64
	// Marks are marks of other objects, made in the same step, after the snapshot:
	// those that this one is another name of, or that it lists.
	Marks []Mark
	// LookAt, when not zero, is when the object is to be looked at next: where
	// the mark would be cleared, it stays as a look that is due then; and one that
	// stays until SettleAt is due then, if that is sooner.
	LookAt time.Time
	// Unresolved, when not empty, keeps a record for the operator, with this
	// reason, in the same step: the mark's cause may have changed something
	// that cannot be found. The record has the mark's cause and key.
	Unresolved string
	// CloseCallback says that no further event goes to the object's callback:
	// it is closed, and forgotten when its retention has passed.
	CloseCallback bool
	// Guard, when it has a Kind, is a record that has to be in its Version, as a change
	// of it would: it was decided by that where the events go. Its other fields mean
	// nothing, and it is left as it is.
	Guard Record
}

// Routed is an event and the endpoints it goes to.
type Routed struct {
	event.Event
	// Endpoints names the endpoints, which may be none.
	Endpoints []string
	// Formats says, by endpoint, in which form the event goes there. It is
	// opaque to the queue, and kept with the event, so that a delivery has the
	// same form however late it is attempted. An endpoint that is missing has
	// none.
	Formats map[string]string
	// Filtered names the endpoints that the event would have gone to, but for their
	// filters. It is kept for their feeds, and for those who ask why nothing came. An
	// endpoint that is in Endpoints, too, gets the event.
	Filtered []string
}
