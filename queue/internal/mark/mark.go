// SPDX-License-Identifier: Apache-2.0

// Package mark holds what every engine must do alike with marks: how they
// merge, and when reconciling clears them.
package mark

import (
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Record is a mark as an engine keeps it.
type Record struct {
	queue.Mark
	// Generation counts the marks merged into this, from 1.
	Generation uint64
	// Hinted holds for each bit of Hints the generation that set it last, so
	// that hints which were acted upon can be told from later ones.
	Hinted [HintBits]uint64
	// Tries counts the failed reconciliations.
	Tries int
	// MarkedAt is when the oldest of the marks was made.
	MarkedAt time.Time
	// DueAt is when the mark is to be reconciled.
	DueAt time.Time
	// LastError is the reason of the last retry.
	LastError string
	// Asked is the generation of the last mark that was not a look, 0 if there
	// was none: then the record is a look.
	Asked uint64
}

// HintBits is how many hints there are.
const HintBits = 8

// New returns the record of an object that was not marked.
func New(m queue.Mark, now time.Time) Record {
	r := Record{Mark: m, Generation: 1, MarkedAt: now, DueAt: now}
	r.hint(m.Hints)
	return r
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

// Merge adds one more mark of the same object. What earlier marks told is
// kept, the newer word wins, and the object is due at once: what was waited
// for may have happened.
func (r *Record) Merge(m queue.Mark, now time.Time) {
	r.Generation++
	r.hint(m.Hints)
	if m.Version != "" {
		r.Version = m.Version
	}
	r.Cause = m.Cause
	if m.SettleAt.After(r.SettleAt) {
		r.SettleAt = m.SettleAt
	}
	r.DueAt = now
}

// Reconciled applies a reconciliation that began at the given generation and
// asked for Show at askedAt. It tells whether the mark is cleared by it; if
// not, the record says when it is due next.
func (r *Record) Reconciled(generation uint64, askedAt, now time.Time) (cleared bool) {
	switch {
	case r.Generation != generation:
		// What is left is a younger mark. A hint that was acted upon must not
		// count again: a delete that was announced proves no other. But what
		// may be done late, or be seen late, is not over before SettleAt.
		spent := ^queue.Hints(0)
		if r.SettleAt.After(askedAt) {
			spent = queue.HintCreated | queue.HintUpdated
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
	default:
		return true
	}
	r.Tries, r.LastError = 0, ""
	return false
}

// Retry applies a reconciliation that failed.
func (r *Record) Retry(generation uint64, at time.Time, reason string, now time.Time) {
	if reason != "" {
		r.Tries++
		r.LastError = reason
	}
	r.DueAt = at
	if r.Generation != generation {
		r.DueAt = now
	}
}
