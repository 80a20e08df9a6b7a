// SPDX-License-Identifier: Apache-2.0

// Package mark holds the rules of marks that every engine shares: how marks
// merge, and when reconciling clears them.
package mark

import (
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Record is a mark as an engine keeps it.
type Record struct {
	queue.Mark
	// Generation counts the marks merged into this, from 1.
	Generation uint64
	// Hinted holds for each bit of Hints the generation that set it last: so
	// hints that were acted upon differ from later ones.
	Hinted [HintBits]uint64
	// Tries counts the failed reconciliations.
	Tries int
	// MarkedAt is when the oldest of the marks was made.
	MarkedAt time.Time
	// Began is when the first of the exchanges that asked for it began: any of them may
	// have made what is found. Zero if that is not known, or for a look.
	Began time.Time
	// DueAt is when the mark is to be reconciled.
	DueAt time.Time
	// LastError is the reason of the last retry.
	LastError string
	// Asked is the generation of the last mark that was not a look. 0 if there
	// was none: then the record is a look.
	Asked uint64
	// Confirmed is the generation of the last of those that not only a client stands
	// for. 0 if there was none: then HintUnconfirmed is set, or it is a look.
	Confirmed uint64
}

// HintBits is how many hints there are.
const HintBits = 10

// New returns the record of an object that was not marked.
func New(m queue.Mark, now time.Time) Record {
	r := Record{Mark: m, Generation: 1, MarkedAt: now, DueAt: due(&m, now)}
	r.After = time.Time{}
	if !m.IsLook() {
		r.Asked, r.Began = r.Generation, m.Cause.At
		if !m.Hints.Has(queue.HintUnconfirmed) {
			r.Confirmed = r.Generation
		}
	}
	r.hint(m.Hints)
	return r
}

// look returns the record of an object that is only to be looked at.
func look(key event.Key, at, now time.Time) Record {
	r := New(queue.Mark{Key: key, Hints: queue.HintLooked}, now)
	r.DueAt = at
	return r
}

// IsLook reports whether nobody has asked for the mark.
func (r *Record) IsLook() bool {
	return r.Asked == 0
}

// Yields reports whether the mark is leased only while no other is due: it is a
// look, or nobody but a client says that there may be a change.
func (r *Record) Yields() bool {
	return r.IsLook() || r.Hints.AreUnconfirmed()
}

// hint notes hints of the current generation.
func (r *Record) hint(hints queue.Hints) {
	r.Hints |= hints
	for i := range r.Hinted {
		if hints&(1<<i) != 0 {
			r.Hinted[i] = r.Generation
		}
	}
}

// Merge adds one more mark of the same object. What earlier marks said is kept,
// the newer word wins (of versions the newest), and the object is due at once,
// as the awaited change may have come. If it was due already, it keeps its place: an
// object that changes all the time would lose it with every change, and never be read
// while others wait. But a look that is merged into a mark
// somebody asked for says nothing about that, and is served by the Show that is
// read then. A look that somebody asks for begins anew, as does an unconfirmed mark
// when it is one no longer, and so do the tries: earlier failures say nothing about
// the new change, and whoever waits for it must not wait for minutes when one more
// try fails. But an unconfirmed mark does not hurry what has failed: else any client
// could have a broken object asked for without end.
func (r *Record) Merge(m queue.Mark, now time.Time) {
	was, yielded := r.IsLook(), r.Yields()
	// Asked once: hints may be taken from the mark below.
	look, unconfirmed := m.IsLook(), m.Hints.Has(queue.HintUnconfirmed)
	r.Generation++
	switch {
	case look:
	case !unconfirmed:
		r.Confirmed = r.Generation
		r.Hints &^= queue.HintUnconfirmed
	case r.Confirmed > 0:
		m.Hints &^= queue.HintUnconfirmed
	}
	r.hint(m.Hints)
	if m.Version != "" && !older(m.Version, r.Version) {
		r.Version = m.Version
	}
	if m.SettleAt.After(r.SettleAt) {
		r.SettleAt = m.SettleAt
	}
	if look && !was {
		return
	}
	r.Cause = m.Cause
	if look {
		r.DueAt = now
		return
	}
	r.Asked = r.Generation
	if at := m.Cause.At; was || !at.IsZero() && at.Before(r.Began) {
		r.Began = m.Cause.At
	}
	if was || yielded && !r.Yields() {
		r.MarkedAt = now
	}
	if unconfirmed && !was && r.Tries > 0 {
		return
	}
	at := due(&m, now)
	if !r.Yields() {
		at = now
	}
	if yielded && !r.Yields() || r.DueAt.After(at) {
		r.DueAt = at
	}
	r.Tries, r.LastError = 0, ""
}

// due returns when a mark is to be reconciled that comes now.
func due(m *queue.Mark, now time.Time) time.Time {
	if m.Hints.AreUnconfirmed() && m.After.After(now) {
		return m.After
	}
	return now
}

// older reports whether a version is known to be older than another. The
// answers to two writes may come in another order than the API did them. With
// the older version, a Show without the newer write would count as fresh.
func older(a, b string) bool {
	order, ok := event.CompareVersions(a, b)
	return ok && order < 0
}

// Reconciled applies a reconciliation that began at the given generation, asked
// for Show at askedAt, and wants a look at lookAt if that is not zero. It
// reports whether the mark is cleared. If not, the record says when it is due
// next.
func (r *Record) Reconciled(generation uint64, askedAt, lookAt, now time.Time) (cleared bool) {
	switch {
	case r.Generation != generation:
		// A younger mark is left. A hint that was acted upon must not count
		// again: a delete that was announced proves no other. But a change that
		// may be done late, or be seen late, is not over before SettleAt.
		spent := ^queue.Hints(0)
		if r.SettleAt.After(askedAt) {
			spent = queue.HintCreated | queue.HintUpdated | queue.HintLooked
		} else {
			r.served(generation)
		}
		for i, at := range r.Hinted {
			if at <= generation {
				r.Hints &^= spent & (1 << i)
			}
		}
		r.MarkedAt = now
		r.DueAt = now
	case r.SettleAt.After(askedAt):
		r.DueAt = r.SettleAt
		if !lookAt.IsZero() && lookAt.Before(r.SettleAt) {
			r.DueAt = lookAt
		}
	case !lookAt.IsZero():
		*r = look(r.Key, lookAt, now)
	default:
		return true
	}
	r.Tries, r.LastError = 0, ""
	return false
}

// served forgets who asked for the generations up to one. Only looks may be left, or
// only what clients stand for.
func (r *Record) served(generation uint64) {
	if !r.IsLook() && r.Asked <= generation {
		r.Asked, r.Cause, r.SettleAt, r.Began = 0, event.Cause{}, time.Time{}, time.Time{}
	}
	if r.Confirmed == 0 || r.Confirmed > generation {
		return
	}
	r.Confirmed = 0
	if !r.IsLook() {
		r.hint(queue.HintUnconfirmed)
	}
}

// Retry applies a reconciliation that failed. The object is due at once if somebody
// else than a client has asked for it since.
func (r *Record) Retry(generation uint64, at time.Time, reason string, now time.Time) {
	if reason != "" {
		r.Tries++
		r.LastError = reason
	}
	r.DueAt = at
	if r.Confirmed > generation {
		r.DueAt = now
	}
}

// Unresolved returns the record of a mark whose cause may have changed
// something that cannot be found.
func Unresolved(id queue.IntentID, m *queue.Mark, reason string, now time.Time) queue.Unresolved {
	resource := m.Cause.Resource
	if resource == "" {
		resource = m.Key.Resource
	}
	return queue.Unresolved{
		Intent: queue.Intent{ID: id, Resource: resource, Rule: m.Cause.Rule, Key: m.Key, Noted: m.Cause.At},
		Reason: reason,
		At:     now,
	}
}
