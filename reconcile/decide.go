// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// finding is the meaning of a Show for an object.
type finding int

const (
	// nothing: the object is as it was last known.
	nothing finding = iota
	// moved: the object differs from its last known state.
	moved
	// known: the object was unknown, and no exchange is known to have changed
	// it. It is recorded as it is, without an event.
	known
	// early: the object is as it was last known, although it was changed a
	// moment ago. A replica may not have the change yet.
	early
	// aliased: the object has another name, under which it is reconciled.
	aliased
	// foreign: the Show has another object's id or none, and the API has not
	// confirmed that there is an object under this one.
	foreign
	// stale: the Show is older than the known state.
	stale
	// missing: the API does not know the object, and nothing proves that it
	// was deleted. A replica may not have it yet.
	missing
	// unusable: the answer is not a Show.
	unusable
	// unproved: the object may have been deleted, and nothing proves that there
	// ever was one.
	unproved
)

// decision is a finding and its consequences.
type decision struct {
	finding finding
	// op is what happened, if moved.
	op event.Op
	// document is the Show as fields are read from it.
	document event.Document
	// unseen is true if the previous state is unknown, although there is a
	// snapshot.
	unseen bool
	// uncertain is true if the object is first seen, and may have been changed by
	// an exchange whose outcome is unknown.
	uncertain bool
	// next is the object's state, if moved or known. Its Sequence is not set.
	next event.Snapshot
	// freshness says how the Show was proven fresh.
	freshness event.Freshness
	// again is how long to wait before looking again, if early.
	again time.Duration
	// name is the object's own name, if aliased, or its new one, if it was renamed.
	name event.Key
	// reason explains a stale, missing or unusable Show in words.
	reason string
}

// Waits for APIs that answer with an older state.
const (
	// lagFor is how long a Show may contradict the known state before it is
	// believed. Replicas and caches catch up within this time. A Show that
	// still contradicts afterwards is what the API really has: two changes
	// whose times were taken in one order and written in the other, versions
	// that restart in an object's second life, or a delete that the API
	// confirmed and did not do.
	lagFor = 5 * time.Minute
	// lagForETag is the same for a Show with another ETag than the write's
	// response had. ETags have no order, so a newer Show looks the same.
	lagForETag = 15 * time.Second
	// secondLook is the wait before the second look at an object that seems
	// unchanged after a confirmed write, if nothing proves the Show fresh. Most
	// replicas have caught up by then.
	secondLook = 2 * time.Second
)

// decide compares the API's answer with the known state of an object. It is
// pure: its arguments hold everything it needs.
func (r *Resource) decide(hasher event.Hasher, lease queue.MarkLease, answer show.Show, now time.Time) decision {
	switch status := answer.Status; {
	case isGone(answer):
		if last := lease.Snapshot; last != nil && last.Alias != "" {
			return decision{finding: aliased, name: event.Key{Resource: lease.Key.Resource, ID: last.Alias}}
		}
		return r.decideGone(lease, now)
	case status >= 300 && status <= 399:
		return decision{finding: missing, reason: fmt.Sprintf("Show was answered with %d%s, which leads to no Show", status, leadsTo(answer))}
	case status < 200 || status > 299:
		return decision{finding: unusable, reason: fmt.Sprintf("Show was answered with %d", status)}
	case len(answer.Body) == 0:
		return decision{finding: unusable, reason: fmt.Sprintf("Show was answered with %d and no body", status)}
	}
	document := answer.Document()
	if reason := r.noShow(lease.Snapshot, answer, document); reason != "" {
		return decision{finding: unusable, reason: reason + foundAt(answer)}
	}
	if r.Moved != nil {
		if name, ok := r.Moved(lease.Key, answer); ok {
			return r.decideMoved(lease, name, answer, now)
		}
	}
	if answer.Redirect.Elsewhere {
		return decision{finding: missing, reason: "Show was answered with what is no Show" + foundAt(answer)}
	}
	if r.Canonical != nil {
		if name := r.Canonical(lease.Key, document); name != lease.Key {
			return decision{finding: aliased, name: name}
		}
	}
	if lease.Snapshot != nil && lease.Snapshot.Alias != "" {
		// The key was another object's name. Of the object that has it now, nothing
		// was ever seen.
		lease.Snapshot = nil
	}
	if r.isForeign(lease, document) {
		return decision{finding: foreign}
	}
	d := r.decidePresent(hasher, lease, answer, document, now)
	d.document = document
	return d
}

// isGone reports whether the API says that there is no such object.
func isGone(answer show.Show) bool {
	return answer.Status == http.StatusNotFound || answer.Status == http.StatusGone
}

// isForeign reports whether only clients say that there is such an object, and
// its Show is another's: an API may tolerate any number of spellings of an id.
func (r *Resource) isForeign(lease queue.MarkLease, document event.Document) bool {
	if lease.Snapshot != nil || !lease.Hints.AreUnconfirmed() && !(lease.Cause.Rule == observedRule && onlyLooked(lease.Hints)) {
		return false
	}
	own, said := r.own(lease.Key, document)
	return said && own != lease.Key
}

// own returns the key that an object has by its Show, and reports whether the Show
// has an id.
func (r *Resource) own(key event.Key, document event.Document) (event.Key, bool) {
	if r.Own == nil {
		return key, false
	}
	return r.Own(key, document)
}

func (r *Resource) decidePresent(hasher event.Hasher, lease queue.MarkLease, answer show.Show, document event.Document, now time.Time) decision {
	last := lease.Snapshot
	next := event.Snapshot{
		Key:     lease.Key,
		Hash:    r.Comparison.hash(hasher, document),
		Watched: event.Watch(document, r.watched(), r.hidden, hasher),
		Time:    now,

		Structured: isStructured(document),
		Deleting:   deleting(lease, now),
	}
	switch {
	case r.ETag:
		next.Version = answer.Header.Get("Etag")
	case r.Version != "":
		next.Version = event.Text(document.Field(r.Version))
	}
	if r.Tenant != "" {
		next.Tenant = event.Text(document.Field(r.Tenant))
	}
	freshness, proven, reason := r.freshness(lease, next.Version, now)
	if reason != "" {
		return decision{finding: stale, reason: reason}
	}

	same := last != nil && bytes.Equal(last.Hash, next.Hash)
	// If another exchange touched the object too, it may have come back.
	deleted := lease.Generation <= 1 && lease.Hints.Has(queue.HintDeleted) && !lease.Hints.Has(queue.HintCreated)
	if deleted && (same || last == nil) && !isDeleting(last) && !believed(lease, now, lagFor) {
		return decision{finding: stale, reason: "Show still has the object, although its delete was confirmed"}
	}
	d := decision{finding: moved, op: event.OpChange, next: next, freshness: freshness}
	switch {
	case last == nil && onlyLooked(lease.Hints):
		d.finding = known
	case last != nil && !last.Gone && !sameComparison(last.Hash, next.Hash) && !confirmed(lease.Hints) && !r.handedOver(last, next):
		// What counts was configured otherwise.
		d.finding, d.next.Uncertain = known, last.Uncertain
	case last == nil && lease.Hints.AreUnconfirmed() && !madeSince(next.Version, began(lease), now):
		// Anybody can send a request that the API refuses, or break one off. If the
		// Show does not say whose it is, this may be one of any number of spellings
		// of an id, and nothing is kept.
		d.finding, d.uncertain = foreign, true
		if _, said := r.own(lease.Key, document); said {
			d.finding, d.next.Uncertain = known, true
		}
	case last != nil && last.Gone && !created(lease.Hints) && r.waitBack(last, now) > 0:
		// No exchange is known to have created it again; a replica may lag.
		d.finding, d.again = early, r.waitBack(last, now)
	case same && !proven && confirmed(lease.Hints) && lease.SettleAt.IsZero() && !believed(lease, now, secondLook):
		d.finding, d.again = early, secondLook
	case last == nil && created(lease.Hints), last != nil && last.Gone:
		d.op = event.OpCreate
	case seenBeforeTold(lease):
		d.op, d.unseen = event.OpCreate, true
	case same && !proven && seenSince(lease) && now.Sub(lease.MarkedAt) < r.Lag:
		// Both Shows may be from before the change.
		d.finding, d.again = early, r.Lag-now.Sub(lease.MarkedAt)
	case same && (seenSince(lease) || last.Uncertain && !onlyLooked(lease.Hints) && !lease.Hints.AreUnconfirmed()):
		d.unseen = true
		if created(lease.Hints) {
			d.op = event.OpCreate
		}
	case same:
		d.finding = nothing
	}
	return d
}

// seenSince reports whether an object that the API confirmed to have changed
// was first looked at while that exchange was already under way: the snapshot
// may show the result of the change, so an equal Show does not mean that
// nothing changed.
func seenSince(lease queue.MarkLease) bool {
	last, begun := lease.Snapshot, began(lease)
	return confirmed(lease.Hints) && last.ChangedAt.IsZero() && !begun.IsZero() && last.Time.After(begun)
}

// seenBeforeTold reports whether an object was first looked at, by a list or for a client,
// while the exchange was under way that the API confirmed to have created it. It is new,
// although a snapshot has it, and whatever was changed about it since.
func seenBeforeTold(lease queue.MarkLease) bool {
	last, begun := lease.Snapshot, began(lease)
	mayBeGone := lease.Hints.Has(queue.HintDeleted) || lease.Hints.Has(queue.HintMayBeDeleted)
	return last != nil && !last.Gone && last.ChangedAt.IsZero() && lease.Hints.Has(queue.HintCreated) && !mayBeGone &&
		!begun.IsZero() && last.Time.After(begun)
}

// began returns when the first of the exchanges began that may have changed an object.
// The last one, which is the mark's cause, may have been refused.
func began(lease queue.MarkLease) time.Time {
	if !lease.Began.IsZero() && lease.Began.Before(lease.Cause.At) {
		return lease.Began
	}
	return lease.Cause.At
}

// madeSince reports whether a version proves that it was made after an exchange
// began: it names a moment between that and now. Versions may be in whole seconds.
func madeSince(version string, began, now time.Time) bool {
	at, ok := event.VersionTime(version)
	return ok && !began.IsZero() && !at.Before(began.Truncate(time.Second)) && at.Before(now.Add(time.Minute))
}

// freshness compares a Show's version with the known ones. It returns how fresh
// the Show is; whether it is proven to be as new as the write that led here;
// and, if it is too old to be used, the reason.
func (r *Resource) freshness(lease queue.MarkLease, version string, now time.Time) (f event.Freshness, proven bool, stale string) {
	if r.ETag {
		switch {
		case lease.Version == "" || version == "":
			return event.FreshnessUnproven, false, ""
		case sameETag(lease.Version, version):
			return event.FreshnessETag, true, ""
		case lease.Generation <= 1 && !believed(lease, now, lagForETag):
			return "", false, "Show has another ETag than the write's response had"
		}
		return event.FreshnessUnproven, false, ""
	}
	f = event.FreshnessUnproven
	after := lagFor
	if order, ok := event.CompareVersions(version, lease.Version); ok {
		f, proven = event.FreshnessVersion, order >= 0
		if order < 0 {
			stale = "Show is older than the version that the write's response had"
		}
	}
	if last := lease.Snapshot; last != nil && stale == "" {
		order, ok := event.CompareVersions(version, last.Version)
		switch {
		case !ok:
		case last.Gone && order <= 0:
			stale = "Show has the object as it was before its delete"
			if created(lease.Hints) {
				// Versions may restart in a second life.
				after = max(secondLook, r.Lag)
			}
		default:
			f = event.FreshnessVersion
			if order < 0 {
				stale = "Show is older than a version that was seen already"
			}
		}
	}
	if stale != "" && believed(lease, now, after) {
		return event.FreshnessUnproven, true, ""
	}
	return f, proven, stale
}

// sameETag compares weakly (RFC 9110, section 8.8.3.2): a proxy that
// compresses on the way makes strong ETags weak.
func sameETag(a, b string) bool {
	return strings.TrimPrefix(a, "W/") == strings.TrimPrefix(b, "W/")
}

// believed reports whether to accept a Show that contradicts the known state,
// because the last exchange is long over.
func believed(lease queue.MarkLease, now time.Time, after time.Duration) bool {
	since := lease.MarkedAt
	if lease.Cause.At.After(since) {
		since = lease.Cause.At
	}
	return now.Sub(since) >= after
}

// confirmed reports whether the API confirmed that it changed the object.
func confirmed(hints queue.Hints) bool {
	return hints&(queue.HintCreated|queue.HintUpdated) != 0
}

// onlyLooked reports whether no exchange is known to have changed the object.
// If an earlier list had the object too, it is not new, although a later list
// says so.
func onlyLooked(hints queue.Hints) bool {
	if hints.Has(queue.HintKnown) {
		hints &^= queue.HintKnown | queue.HintMayBeCreated
	}
	return hints == queue.HintLooked
}

// created reports whether an exchange created, rather than changed, an object
// that was never seen.
func created(hints queue.Hints) bool {
	return hints.Has(queue.HintCreated) || hints.Has(queue.HintMayBeCreated) && !hints.Has(queue.HintUpdated)
}

// decideGone decides what a 404 or 410 means. A delete is announced on proof
// only: somebody asked the API to delete the object, and it is gone.
//
// If the object was never seen, or was first seen a moment ago, a 404 may just
// as well come from a replica that does not have it yet and would show it
// later.
func (r *Resource) decideGone(lease queue.MarkLease, now time.Time) decision {
	there := lease.Snapshot != nil && !lease.Snapshot.Gone
	knownGone := lease.Snapshot != nil && lease.Snapshot.Gone
	changed := confirmed(lease.Hints)
	switch {
	case lease.Hints.Has(queue.HintDeleted) && !knownGone, isDeleting(lease.Snapshot),
		lease.Hints.Has(queue.HintMayBeDeleted) && (there || changed && !knownGone):
		if wait := r.waitGone(lease, now); wait > 0 {
			return decision{finding: early, again: wait}
		}
		if !there && !existed(lease.Hints) {
			return decision{finding: unproved, reason: unprovedReason}
		}
		gone := event.Snapshot{Key: lease.Key, Gone: true, Time: now}
		if there {
			gone.Tenant, gone.Version = lease.Snapshot.Tenant, newest(lease.Snapshot.Version, lease.Version)
		}
		return decision{finding: moved, op: event.OpDelete, freshness: event.FreshnessUnproven, next: gone}
	case lease.Hints.Has(queue.HintDeleted), lease.Hints.Has(queue.HintMayBeDeleted):
		// The delete was announced already, or the object was never seen and
		// may never have existed.
		return decision{finding: nothing}
	case knownGone && changed && believed(lease, now, max(lagFor, r.Lag)):
		// The exchanges ended in another order than the API executed them: the
		// delete was the later one, and was announced.
		return decision{finding: nothing}
	case there && !lease.IsLook(), changed:
		return decision{finding: missing, reason: "Show was answered with 404 or 410, and nothing proves that the object was deleted"}
	}
	// No exchange is known to have changed anything, and there is no object.
	return decision{finding: nothing}
}

// existed reports whether the API's answers prove that there was an object that may have
// been deleted: it has confirmed that it made it, or its answer to the delete says so. An
// API may confirm the update and the delete of what it never had.
func existed(hints queue.Hints) bool {
	mayBeGone := hints&(queue.HintDeleted|queue.HintMayBeDeleted) != 0
	return hints.Has(queue.HintExisted) || mayBeGone && hints.Has(queue.HintCreated)
}

// unprovedReason is the reason of the record of a delete that is not announced.
const unprovedReason = "the object is not there, it was never seen before, and nothing proves that it was there before its delete; " +
	"declare `list`, so that objects are known, or `success` in the delete's rule, if such an answer proves it"

// waitGone returns how long to wait before a 404 proves a delete: until no
// replica can lag so far that it does not have the object yet.
func (r *Resource) waitGone(lease queue.MarkLease, now time.Time) time.Duration {
	last := lease.Snapshot
	if last == nil || last.Gone {
		return remaining(lease.MarkedAt, lease.Cause.At, now, max(secondLook, r.Lag))
	}
	wait := r.Lag
	if !lease.Hints.Has(queue.HintDeleted) {
		wait = max(secondLook, r.Lag)
	}
	return remaining(last.Time, last.ChangedAt, now, wait)
}

// waitBack returns how long to wait before an object that is gone, and that
// no exchange is known to have created again, counts as back.
func (r *Resource) waitBack(last *event.Snapshot, now time.Time) time.Duration {
	return remaining(last.Time, last.ChangedAt, now, max(secondLook, r.Lag))
}

// newest returns the newer of two versions, or the first if they cannot be
// compared.
func newest(a, b string) string {
	if order, ok := event.CompareVersions(a, b); ok && order < 0 || a == "" {
		return b
	}
	return a
}

// remaining returns the rest of a duration that begins at the later of two
// times.
func remaining(a, b, now time.Time, d time.Duration) time.Duration {
	if b.After(a) {
		a = b
	}
	return max(0, d-now.Sub(a))
}
