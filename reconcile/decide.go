// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// finding is what a Show means for an object.
type finding int

const (
	// nothing: the object is as it was last known.
	nothing finding = iota
	// moved: the object differs from what was last known.
	moved
	// stale: the Show is older than what is known already.
	stale
	// missing: the API does not know the object, and nothing proves that it
	// was deleted. A replica may not have it yet.
	missing
	// unusable: the answer is no Show.
	unusable
)

// decision is a finding with what follows from it.
type decision struct {
	finding finding
	// op is what happened, when moved.
	op event.Op
	// next is the object's state, when moved. Its Sequence is not set.
	next event.Snapshot
	// freshness says how the Show was proven fresh.
	freshness event.Freshness
	// reason says in words what is wrong, when stale, missing or unusable.
	reason string
}

// lagFor is how long a Show may contradict what is known before it is believed.
// Replicas and caches catch up within it. What still contradicts then is the
// API's word: two changes whose times were taken in one order and written in
// the other, versions that begin anew in an object's second life, or a delete
// that the API confirmed and did not do.
const lagFor = 5 * time.Minute

// decide compares what the API answered with what is known of an object. It
// is pure: all that it needs stands in its arguments.
func (r *Resource) decide(hasher event.Hasher, lease queue.MarkLease, answer show.Show, now time.Time) decision {
	switch status := answer.Status; {
	case status == http.StatusNotFound || status == http.StatusGone:
		return decideGone(lease, now)
	case status < 200 || status > 299:
		return decision{finding: unusable, reason: fmt.Sprintf("Show was answered with %d", status)}
	case len(answer.Body) == 0:
		return decision{finding: unusable, reason: fmt.Sprintf("Show was answered with %d and no body", status)}
	}
	return r.decidePresent(hasher, lease, answer, now)
}

func (r *Resource) decidePresent(hasher event.Hasher, lease queue.MarkLease, answer show.Show, now time.Time) decision {
	last := lease.Snapshot
	document := event.NewDocument(answer.Body)
	next := event.Snapshot{
		Key:     lease.Key,
		Hash:    hasher.Show(document),
		Watched: event.Watch(document, r.watched()),
		Time:    now,
	}
	if r.Version != "" {
		next.Version = event.Text(document.Field(r.Version))
	}
	known := []string{lease.Version}
	if last != nil && !last.Gone {
		known = append(known, last.Version)
	}
	freshness := event.FreshnessUnproven
	for _, version := range known {
		order, ok := event.CompareVersions(next.Version, version)
		if ok && order < 0 && believed(lease, now) {
			freshness = event.FreshnessUnproven
			break
		}
		if ok && order < 0 {
			return decision{finding: stale, reason: "Show is older than a version that was seen already"}
		}
		if ok {
			freshness = event.FreshnessVersion
		}
	}

	same := last != nil && bytes.Equal(last.Hash, next.Hash)
	// Where another exchange was at the object too, it may have come back.
	deleted := lease.Generation <= 1 && lease.Hints.Has(queue.HintDeleted) && !lease.Hints.Has(queue.HintCreated)
	if deleted && (same || last == nil) && !believed(lease, now) {
		return decision{finding: stale, reason: "Show still has the object, although its delete was confirmed"}
	}
	d := decision{finding: moved, op: event.OpChange, next: next, freshness: freshness}
	switch {
	case last == nil && created(lease.Hints), last != nil && last.Gone:
		d.op = event.OpCreate
	case same:
		d.finding = nothing
	}
	return d
}

// believed tells whether a Show that contradicts what is known is taken all
// the same, because the last exchange is long over.
func believed(lease queue.MarkLease, now time.Time) bool {
	since := lease.MarkedAt
	if lease.Cause.At.After(since) {
		since = lease.Cause.At
	}
	return now.Sub(since) >= lagFor
}

// created tells whether an object that nobody had seen was created by what was
// asked, rather than changed.
func created(hints queue.Hints) bool {
	return hints.Has(queue.HintCreated) || hints.Has(queue.HintMayBeCreated) && !hints.Has(queue.HintUpdated)
}

// decideGone decides what a 404 or 410 means. A delete is announced on proof
// only: somebody asked the API to delete the object, and it is gone.
func decideGone(lease queue.MarkLease, now time.Time) decision {
	known := lease.Snapshot != nil && !lease.Snapshot.Gone
	knownGone := lease.Snapshot != nil && lease.Snapshot.Gone
	confirmed := lease.Hints&(queue.HintCreated|queue.HintUpdated) != 0
	switch {
	case lease.Hints.Has(queue.HintDeleted) && !knownGone,
		lease.Hints.Has(queue.HintMayBeDeleted) && (known || confirmed && !knownGone):
		return decision{
			finding: moved, op: event.OpDelete, freshness: event.FreshnessUnproven,
			next: event.Snapshot{Key: lease.Key, Gone: true, Time: now},
		}
	case lease.Hints.Has(queue.HintDeleted), lease.Hints.Has(queue.HintMayBeDeleted):
		// It was announced already, or was never seen and may never have been.
		return decision{finding: nothing}
	case known || confirmed:
		return decision{finding: missing, reason: "Show was answered with 404 or 410, and nothing tells that the object was deleted"}
	}
	// No exchange is known to have changed anything, and there is nothing.
	return decision{finding: nothing}
}

// transition makes the events of a decision, in sequence after the snapshot's.
func (r *Resource) transition(instance [16]byte, lease queue.MarkLease, d decision, answer show.Show, now time.Time) queue.Reconciled {
	last := lease.Snapshot
	next := d.next
	var previous event.Fields
	if last != nil {
		next.Sequence = last.Sequence
		if !last.Gone {
			previous = last.Watched
		}
	}
	var routed []queue.Routed
	for _, name := range event.Types(r.Triggers, d.op, previous, next.Watched) {
		next.Sequence++
		e := event.Event{
			ID:        event.ID(instance, lease.Key, next.Sequence, name, next.Hash),
			Type:      name,
			Key:       lease.Key,
			Sequence:  next.Sequence,
			Op:        d.op,
			Time:      now,
			Version:   next.Version,
			Freshness: d.freshness,
			Cause:     lease.Cause,
			Previous:  previous,
		}
		if d.op == event.OpDelete {
			e.ContentType, e.Payload = "application/json", tombstone(lease.Key, previous)
		} else {
			e.ContentType, e.Payload = answer.Header.Get("Content-Type"), answer.Body
		}
		routed = append(routed, queue.Routed{Event: e, Endpoints: r.Route(name)})
	}
	return queue.Reconciled{Snapshot: &next, Events: routed}
}

// tombstone is the payload of a delete: there is no Show any more, so it tells
// which object is gone and the watched fields as they were.
func tombstone(key event.Key, previous event.Fields) []byte {
	payload, err := json.Marshal(struct {
		Resource string       `json:"resource"`
		ID       string       `json:"id"`
		Deleted  bool         `json:"deleted"`
		Previous event.Fields `json:"previous,omitempty"`
	}{key.Resource, key.Plain(), true, previous})
	if err != nil {
		// Watched fields are cut out of valid JSON, so this does not happen;
		// the key alone is still a true payload.
		payload, _ = json.Marshal(map[string]any{"resource": key.Resource, "id": key.Plain(), "deleted": true})
	}
	return payload
}
