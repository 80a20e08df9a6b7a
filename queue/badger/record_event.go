// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

// eventVersion 3 does not tell what has changed, and is written where that is not
// known, so that older versions read it; 2 has no previous tenant and no audience;
// 1 has no tenant, no previous Show and no formats, and its causes end after their
// time.
const (
	eventVersion          = 4
	eventVersionUnchanged = 3
)

// eventRecord is an event in the log.
type eventRecord struct {
	event.Event
	// CreatedAt is when the event was committed; its retention counts from
	// here.
	CreatedAt time.Time
	// Endpoints names the endpoints, and Formats the event's form for each, ""
	// for none.
	Endpoints []string
	Formats   []string
	// Parts is 0 if the payload stands in the record. Otherwise the payload is
	// in that many records of its own, at the position that lies Back before
	// the event's: events of one commit with the same Show share it.
	Parts int
	Back  uint64
	// PreviousParts is 0 if the previous Show stands in the record. Otherwise
	// it is in that many records of its own, under a number.
	PreviousParts int
	PreviousAt    uint64
}

// appendEvent encodes: id, type, key's resource, key's id, sequence, op, time,
// version, freshness, cause, previous fields, content type, tenant, previous
// tenant, audience, the previous Show's parts and either its number or itself,
// created at, the number of endpoints and each with its format, parts, and then
// either back or, to the end, the payload. The fourth version has, after the
// created at, base, state, and the number of pointers to what has changed plus one,
// or 0, and each.
func appendEvent(b []byte, e *eventRecord) []byte {
	version := byte(eventVersionUnchanged)
	if e.State != 0 || e.Base != 0 || e.Changed != nil {
		version = eventVersion
	}
	b = append(b, version)
	b = record.AppendText(b, e.ID)
	b = record.AppendText(b, e.Type)
	b = record.AppendText(b, e.Key.Resource)
	b = record.AppendText(b, e.Key.ID)
	b = binary.AppendUvarint(b, e.Sequence)
	b = record.AppendText(b, e.Op)
	b = record.AppendTime(b, e.Time)
	b = record.AppendText(b, e.Version)
	b = record.AppendText(b, e.Freshness)
	b = record.AppendCause(b, e.Cause)
	b = record.AppendFields(b, e.Previous)
	b = record.AppendText(b, e.ContentType)
	b = record.AppendText(b, e.Tenant)
	b = record.AppendText(b, e.PreviousTenant)
	b = record.AppendText(b, e.Audience)
	b = binary.AppendUvarint(b, uint64(e.PreviousParts))
	if e.PreviousParts > 0 {
		b = binary.AppendUvarint(b, e.PreviousAt)
	} else {
		b = record.AppendText(b, e.PreviousShow)
	}
	b = record.AppendTime(b, e.CreatedAt)
	if version == eventVersion {
		b = binary.AppendUvarint(b, e.Base)
		b = binary.AppendUvarint(b, e.State)
		b = appendPointers(b, e.Changed)
	}
	b = binary.AppendUvarint(b, uint64(len(e.Endpoints)))
	for i, endpoint := range e.Endpoints {
		b = record.AppendText(b, endpoint)
		b = record.AppendText(b, e.Formats[i])
	}
	b = binary.AppendUvarint(b, uint64(e.Parts))
	if e.Parts > 0 {
		return binary.AppendUvarint(b, e.Back)
	}
	return append(b, e.Payload...)
}

// format returns the event's form for an endpoint.
func (e *eventRecord) format(endpoint string) string {
	if i := slices.Index(e.Endpoints, endpoint); i >= 0 {
		return e.Formats[i]
	}
	return ""
}

// parseEvent decodes an event. Its payload and its previous Show are parts of
// the record itself.
func parseEvent(b []byte) (eventRecord, error) {
	r := record.NewReader(b, eventVersion)
	e := eventRecord{Event: event.Event{
		ID:          r.Text(),
		Type:        r.Text(),
		Key:         event.Key{Resource: r.Text(), ID: r.Text()},
		Sequence:    r.Uint(),
		Op:          event.Op(r.Text()),
		Time:        r.Time(),
		Version:     r.Text(),
		Freshness:   event.Freshness(r.Text()),
		Cause:       r.Cause(r.Version >= 2),
		Previous:    r.Fields(),
		ContentType: r.Text(),
	}}
	// Ids commit to the headers since the third version.
	e.Uncommitted = r.Version < 3
	if r.Version >= 2 {
		e.Tenant = r.Text()
		previousTenant(&r, &e)
		previousShow(&r, &e)
	}
	e.CreatedAt = r.Time()
	if r.Version >= 4 {
		e.Base, e.State, e.Changed = r.Uint(), r.Uint(), pointers(&r)
	}
	if n := r.Count(); n > 0 {
		e.Endpoints = make([]string, n)
		e.Formats = make([]string, n)
		for i := range e.Endpoints {
			e.Endpoints[i] = r.Text()
			if r.Version >= 2 {
				e.Formats[i] = r.Text()
			}
		}
	}
	parts := r.Uint()
	switch {
	case parts > maxParts:
		r.Err = errDamaged
	case parts > 0:
		e.Parts, e.Back = int(parts), r.Uint()
	case len(r.Rest) > 0:
		e.Payload, r.Rest = r.Rest, nil
	}
	return e, r.End()
}

// previousTenant decodes the owner of the previous state, which older records do
// not name. What a delete tells of it was always the object's last owner's.
func previousTenant(r *record.Reader, e *eventRecord) {
	switch {
	case r.Version >= 3:
		e.PreviousTenant, e.Audience = r.Text(), event.Audience(r.Text())
	case e.Op == event.OpDelete:
		e.PreviousTenant = e.Tenant
	default:
		e.PreviousTenant = event.UnknownTenant
	}
}

// previousShow decodes the previous Show, or its place.
func previousShow(r *record.Reader, e *eventRecord) {
	parts := r.Uint()
	switch {
	case parts > maxParts:
		r.Err = errDamaged
	case parts > 0:
		e.PreviousParts, e.PreviousAt = int(parts), r.Uint()
	default:
		e.PreviousShow = r.Bytes()
	}
}

// appendPointers encodes pointers so that nil and none stay apart.
func appendPointers(b []byte, pointers event.Pointers) []byte {
	if pointers == nil {
		return binary.AppendUvarint(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(pointers))+1)
	for _, pointer := range pointers {
		b = record.AppendText(b, pointer)
	}
	return b
}

// pointers decodes pointers, each of which takes a byte at least, for its length.
func pointers(r *record.Reader) event.Pointers {
	n := r.Uint()
	switch {
	case r.Err != nil || n == 0:
		return nil
	case n-1 > uint64(len(r.Rest)):
		r.Err = errDamaged
		return nil
	}
	all := make(event.Pointers, n-1)
	for i := range all {
		all[i] = r.Text()
	}
	return all
}
