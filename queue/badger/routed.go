// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

// routedEvent is an encoded event. Only the committer knows its position.
type routedEvent struct {
	id        string
	object    string
	endpoints []string
	// filtered are the endpoints whose filters left the event out, and formats its form
	// for each of them.
	filtered []string
	formats  []string
	// owner, audience and op are the event's. indexed is what the owner's feed finds it by, ""
	// if it is in none.
	owner    string
	tag      ownerTag
	audience event.Audience
	op       event.Op
	indexed  string
	record   []byte
	parts    [][]byte
	delivery []byte
	lane     []byte
}

// encodeEvents does what needs no committer, and counts the records of the
// events.
func encodeEvents(w *waiter, events []queue.Routed, now time.Time, shows *showStager) ([]routedEvent, error) {
	encoded := make([]routedEvent, 0, len(events))
	records := make([]eventRecord, 0, len(events))
	for i := range events {
		routed := &events[i]
		record := eventRecord{Event: routed.Event, CreatedAt: now, Endpoints: unique(routed.Endpoints)}
		for _, endpoint := range record.Endpoints {
			record.Formats = append(record.Formats, routed.Formats[endpoint])
		}
		records = append(records, record)
		if shows != nil {
			shows.previous(records)
		}
		parts := splitPayload(records)
		written := &records[i]
		e := routedEvent{
			id:        routed.ID,
			object:    objectName(routed.Key),
			endpoints: written.Endpoints,
			parts:     parts,
			record:    appendEvent(make([]byte, 0, 256+inline(written)), written),
			delivery: appendDelivery(nil, &queue.Delivery{
				EventID:   routed.ID,
				EventType: routed.Type,
				Key:       routed.Key,
				Sequence:  routed.Sequence,
				Status:    queue.StatusPending,
				CreatedAt: now,
			}, nil),
			lane: appendLane(nil, &laneRecord{EventID: routed.ID, DueAt: now}),
		}
		e.feed(routed)
		if len(e.id) > maxKey {
			return nil, queue.ErrTooLarge
		}
		if e.indexed != "" {
			w.need(len(e.indexed) + 13)
		}
		for i, endpoint := range e.filtered {
			if len(endpoint) > maxKey {
				return nil, queue.ErrTooLarge
			}
			w.need(len(endpoint)+13, len(e.formats[i]))
		}
		w.need(9, len(e.record))
		w.need(1+len(e.id), 17)
		for _, part := range parts {
			w.need(13, len(part))
		}
		for _, endpoint := range e.endpoints {
			if len(endpoint)+len(e.object) > maxKey {
				return nil, queue.ErrTooLarge
			}
			w.need(len(endpoint)+13, len(e.delivery))
			w.need(len(endpoint)+len(e.object)+13, len(e.lane))
		}
		encoded = append(encoded, e)
	}
	return encoded, nil
}

// feed finds out in which feeds the event is.
func (e *routedEvent) feed(routed *queue.Routed) {
	for _, endpoint := range unique(routed.Filtered) {
		if !slices.Contains(e.endpoints, endpoint) {
			e.filtered = append(e.filtered, endpoint)
			e.formats = append(e.formats, routed.Formats[endpoint])
		}
	}
	e.owner, e.audience, e.op = routed.Tenant, routed.Audience, routed.Op
	e.tag = tagOf(routed.Tenant)
	if routed.Tenant != "" && routed.InFeedOf(routed.Tenant) {
		e.indexed = indexedTenant(routed.Tenant)
	}
}

// scopes appends the feeds that have the event.
func (e *routedEvent) scopes(to []queue.Scope) []queue.Scope {
	return queue.ScopesOf(to, &event.Event{Tenant: e.owner, Audience: e.audience, Op: e.op}, e.endpoints, e.filtered)
}

func inline(e *eventRecord) int {
	if e.Parts > 0 {
		return 0
	}
	return len(e.Payload)
}

// unique returns endpoints without repeats, in their order.
func unique(endpoints []string) []string {
	var once []string
	for _, endpoint := range endpoints {
		if !slices.Contains(once, endpoint) {
			once = append(once, endpoint)
		}
	}
	return once
}

// append adds an event to the log, and its deliveries to their lanes.
func (b *batch) append(e *routedEvent, now time.Time) {
	b.s.lastPosition++
	position, expires := b.s.lastPosition, b.s.expiry()
	b.extend(position, expires)
	b.fed = append(b.fed, e)
	b.events = append(b.events, committedEvent{position, e.record})
	at := b.key(func(k []byte) []byte { return numberKey(k, kindEvent, position) })
	b.setUntil(at, e.record, expires)
	b.setUntil(
		b.key(func(k []byte) []byte { return eventIDKey(k, e.id) }),
		b.key(func(k []byte) []byte { return appendEventID(k, e.tag, position) }),
		expires)
	for i, part := range e.parts {
		b.setUntil(b.key(func(k []byte) []byte { return partKey(k, kindPart, position, i) }), part, expires)
	}
	if e.indexed != "" {
		b.setUntil(b.key(func(k []byte) []byte { return tenantKey(k, e.indexed, position) }), nil, expires)
	}
	for i, endpoint := range e.filtered {
		b.setUntil(b.key(func(k []byte) []byte { return filteredKey(k, endpoint, position) }), []byte(e.formats[i]), expires)
	}
	for _, endpoint := range e.endpoints {
		b.set(b.key(func(k []byte) []byte { return deliveryKey(k, endpoint, position) }), e.delivery)
		b.set(b.key(func(k []byte) []byte { return laneKey(k, endpoint, e.object, position) }), e.lane)
		b.born = append(b.born, birth{endpoint: endpoint, object: e.object, position: position, due: schedule.Nanos(now)})
	}
}
