// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// transition builds the result of a decision that the object moved or was not
// known: its snapshot, and the events that follow the last one in sequence. The
// error says why the Show cannot be used; errors of conditions are returned
// beside the result.
func (r *Resource) transition(instance [16]byte, lease queue.MarkLease, d decision, answer show.Show, now time.Time) (_ queue.Reconciled, conditions, _ error) {
	last := lease.Snapshot
	next := d.next
	next.ChangedAt = now
	payload, contentType := answer.Body, answer.Header.Get("Content-Type")
	if !r.Projection.IsZero() && d.op != event.OpDelete {
		var err error
		if payload, err = r.Projection.Apply(answer.Body); err != nil {
			return queue.Reconciled{}, nil, fmt.Errorf("removing hidden fields from Show: %w", err)
		}
	}
	if r.KeepShow && !next.Gone {
		next.Show, next.ContentType, next.Hidden = payload, contentType, r.Projection.ID()
	}
	next.Sequence = lastSequence(lease)
	handedOver := r.handedOver(last, next)
	before := r.before(last, d, next.Tenant)
	changed := r.changed(d.op, before, payload, contentType)
	next.Told = before.told && changed != nil && len(changed) == 0
	if d.op == event.OpDelete {
		contentType, payload = "application/json", tombstone(lease.Key, before.shown)
		if before.show != nil {
			contentType, payload = before.contentType, before.show
		}
	}
	reconciled := queue.Reconciled{Snapshot: &next}
	if d.finding != moved {
		next.ChangedAt = time.Time{}
		return reconciled, nil, nil
	}
	happenings, conditions := event.Happenings(r.Triggers, event.Transition{
		Op: d.op, Show: d.document, Previous: before.watched, Now: next.Watched, Cause: lease.Cause,
	}, handedOver)
	reconciled.CloseCallback = r.callbackEnds(lease, d, handedOver)
	var state uint64
	if r.KeepShow && len(happenings) > 0 {
		next.Told, state = !next.Gone, next.Sequence+uint64(len(happenings))
	}
	for _, h := range happenings {
		next.Sequence++
		e := event.Event{
			ID:             event.ID(instance, lease.Key, next.Sequence, h.Type, next.Hash),
			Type:           h.Type,
			Key:            lease.Key,
			Sequence:       next.Sequence,
			Op:             d.op,
			Time:           now,
			Version:        next.Version,
			Freshness:      d.freshness,
			Cause:          lease.Cause,
			Tenant:         next.Tenant,
			Previous:       before.shown,
			PreviousShow:   before.show,
			PreviousTenant: before.tenant,
			Changed:        changed,
			Base:           before.base(),
			State:          state,
			Audience:       h.Audience,
			ContentType:    contentType,
			Payload:        payload,
		}
		reconciled.Events = append(reconciled.Events, queue.Routed{Event: e})
	}
	r.send(lease, &reconciled)
	return reconciled, conditions, nil
}

// lastSequence returns the sequence number that an object's next event follows.
func lastSequence(lease queue.MarkLease) uint64 {
	if lease.Snapshot == nil {
		return lease.Floor
	}
	return lease.Snapshot.Sequence
}

// handedOver reports whether the object belongs to another tenant than when it
// was last seen there. An object that came back, after it was gone, is a new one.
func (r *Resource) handedOver(last *event.Snapshot, next event.Snapshot) bool {
	return r.Tenant != "" && last != nil && !last.Gone && last.Alias == "" && last.Tenant != next.Tenant
}

// route fills in the endpoints of an event, the object's own receiver among
// them, unless the object has been handed over: the receiver was named while
// another tenant owned the object.
func (r *Resource) route(lease queue.MarkLease, e *queue.Routed, handedOver bool) {
	e.Endpoints, e.Filtered = r.Route(&e.Event)
	if handedOver {
		return
	}
	if r.Callback != nil && lease.Callback != nil && !lease.Callback.Closed && r.Callback.Wants(e.Type) {
		e.Endpoints = append(e.Endpoints[:len(e.Endpoints):len(e.Endpoints)], r.Callback.Endpoint)
	}
}

// callbackEnds reports whether the object's own receiver has got its last
// event.
func (r *Resource) callbackEnds(lease queue.MarkLease, d decision, handedOver bool) bool {
	if r.Callback == nil || lease.Callback == nil || lease.Callback.Closed {
		return false
	}
	return handedOver || d.op == event.OpDelete || r.Callback.Last != nil && r.Callback.Last(d.document)
}

// tombstone is the payload of a delete: since there is no Show any more, it has
// the object's id and the last known values of the watched fields. The id is spelled as
// everywhere, with its parts escaped and joined by "/"; where that is not how the API
// writes it, the plain parts follow.
func tombstone(key event.Key, previous event.Fields) []byte {
	parts := key.Parts()
	if len(parts) == 1 && parts[0] == key.ID {
		parts = nil
	}
	payload, err := json.Marshal(struct {
		Resource string       `json:"resource"`
		ID       string       `json:"id"`
		Parts    []string     `json:"parts,omitempty"`
		Deleted  bool         `json:"deleted"`
		Previous event.Fields `json:"previous,omitempty"`
	}{key.Resource, key.ID, parts, true, previous})
	if err != nil {
		// Watched fields are cut out of valid JSON, so this does not happen;
		// the key alone is still a true payload.
		payload, _ = json.Marshal(map[string]any{"resource": key.Resource, "id": key.ID, "deleted": true})
	}
	return payload
}
