// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// eventVersion 1 has no tenant, no previous Show and no formats, and of a cause what
// reader.cause says.
const eventVersion = 2

// eventRecord is an event as it stands in the log.
type eventRecord struct {
	event.Event
	// CreatedAt is when the event was committed; its retention counts from
	// here.
	CreatedAt time.Time
	// Endpoints names those it goes to, and Formats the form in which it goes
	// to each, "" for none.
	Endpoints []string
	Formats   []string
	// Parts is 0 if the payload stands in the record. Otherwise the payload
	// is in as many records of its own, at the position that lies Back before
	// the event's: events of one commit that send the same Show share it.
	Parts int
	Back  uint64
	// PreviousParts is 0 if the previous Show stands in the record. Otherwise
	// it is in as many records of its own, under a number.
	PreviousParts int
	PreviousAt    uint64
}

// appendEvent encodes: id, type, key's resource, key's id, sequence, op, time,
// version, freshness, cause, previous fields, content type, tenant, the
// previous Show's parts and either its number or itself, created at, the
// number of endpoints and each with its format, parts, and then either back or, to the end,
// the payload.
func appendEvent(b []byte, e *eventRecord) []byte {
	b = append(b, eventVersion)
	b = appendText(b, e.ID)
	b = appendText(b, e.Type)
	b = appendText(b, e.Key.Resource)
	b = appendText(b, e.Key.ID)
	b = binary.AppendUvarint(b, e.Sequence)
	b = appendText(b, e.Op)
	b = appendTime(b, e.Time)
	b = appendText(b, e.Version)
	b = appendText(b, e.Freshness)
	b = appendCause(b, e.Cause)
	b = appendFields(b, e.Previous)
	b = appendText(b, e.ContentType)
	b = appendText(b, e.Tenant)
	b = binary.AppendUvarint(b, uint64(e.PreviousParts))
	if e.PreviousParts > 0 {
		b = binary.AppendUvarint(b, e.PreviousAt)
	} else {
		b = appendText(b, e.PreviousShow)
	}
	b = appendTime(b, e.CreatedAt)
	b = binary.AppendUvarint(b, uint64(len(e.Endpoints)))
	for i, endpoint := range e.Endpoints {
		b = appendText(b, endpoint)
		b = appendText(b, e.Formats[i])
	}
	b = binary.AppendUvarint(b, uint64(e.Parts))
	if e.Parts > 0 {
		return binary.AppendUvarint(b, e.Back)
	}
	return append(b, e.Payload...)
}

// format returns the form in which the event goes to an endpoint.
func (e *eventRecord) format(endpoint string) string {
	if i := slices.Index(e.Endpoints, endpoint); i >= 0 {
		return e.Formats[i]
	}
	return ""
}

// parseEvent decodes an event. Its payload and its previous Show are parts of
// the record itself.
func parseEvent(record []byte) (eventRecord, error) {
	r := newReader(record, eventVersion)
	e := eventRecord{Event: event.Event{
		ID:          r.text(),
		Type:        r.text(),
		Key:         event.Key{Resource: r.text(), ID: r.text()},
		Sequence:    r.uint(),
		Op:          event.Op(r.text()),
		Time:        r.time(),
		Version:     r.text(),
		Freshness:   event.Freshness(r.text()),
		Cause:       r.cause(r.version >= 2),
		Previous:    r.fields(),
		ContentType: r.text(),
	}}
	if r.version >= 2 {
		e.Tenant = r.text()
		r.previousShow(&e)
	}
	e.CreatedAt = r.time()
	if n := r.count(); n > 0 {
		e.Endpoints = make([]string, n)
		e.Formats = make([]string, n)
		for i := range e.Endpoints {
			e.Endpoints[i] = r.text()
			if r.version >= 2 {
				e.Formats[i] = r.text()
			}
		}
	}
	parts := r.uint()
	switch {
	case parts > maxParts:
		r.err = errDamaged
	case parts > 0:
		e.Parts, e.Back = int(parts), r.uint()
	case len(r.rest) > 0:
		e.Payload, r.rest = r.rest, nil
	}
	return e, r.end()
}

func (r *reader) previousShow(e *eventRecord) {
	parts := r.uint()
	switch {
	case parts > maxParts:
		r.err = errDamaged
	case parts > 0:
		e.PreviousParts, e.PreviousAt = int(parts), r.uint()
	default:
		e.PreviousShow = r.bytes()
	}
}
