// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/binary"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

const eventVersion = 1

// appendEvent encodes: id, type, key's resource, key's id, sequence, op, time, version,
// freshness, cause, previous fields, content type, tenant, previous tenant, audience, base,
// state, and the number of pointers to what has changed plus one, or 0, and each. The
// payload and the previous Show stand in the row.
func appendEvent(b []byte, e *event.Event) []byte {
	b = append(b, eventVersion)
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
	b = binary.AppendUvarint(b, e.Base)
	b = binary.AppendUvarint(b, e.State)
	if e.Changed == nil {
		return binary.AppendUvarint(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(e.Changed))+1)
	for _, pointer := range e.Changed {
		b = record.AppendText(b, pointer)
	}
	return b
}

func parseEvent(b []byte) (event.Event, error) {
	r := record.NewReader(b, eventVersion)
	e := event.Event{
		ID: r.Text(), Type: r.Text(), Key: event.Key{Resource: r.Text(), ID: r.Text()}, Sequence: r.Uint(),
		Op: event.Op(r.Text()), Time: r.Time(), Version: r.Text(), Freshness: event.Freshness(r.Text()),
		Cause: r.Cause(true), Previous: r.Fields(), ContentType: r.Text(),
		Tenant: r.Text(), PreviousTenant: r.Text(), Audience: event.Audience(r.Text()),
		Base: r.Uint(), State: r.Uint(),
	}
	switch n := r.Uint(); {
	case r.Err != nil || n == 0:
	case n-1 > uint64(len(r.Rest)):
		r.Err = record.ErrDamaged
	default:
		e.Changed = make(event.Pointers, n-1)
		for i := range e.Changed {
			e.Changed[i] = r.Text()
		}
	}
	return e, r.End()
}
