// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

// routedEvent is an encoded event. Only the committer knows its position.
type routedEvent struct {
	id        string
	object    string
	endpoints []string
	record    []byte
	parts     [][]byte
	delivery  []byte
	lane      []byte
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
		if len(e.id) > maxKey {
			return nil, queue.ErrTooLarge
		}
		w.need(9, len(e.record))
		w.need(1+len(e.id), 9)
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
	b.events = append(b.events, committedEvent{position, e.record})
	at := b.key(func(k []byte) []byte { return numberKey(k, kindEvent, position) })
	b.setUntil(at, e.record, expires)
	b.setUntil(b.key(func(k []byte) []byte { return eventIDKey(k, e.id) }), at[1:], expires)
	for i, part := range e.parts {
		b.setUntil(b.key(func(k []byte) []byte { return partKey(k, kindPart, position, i) }), part, expires)
	}
	for _, endpoint := range e.endpoints {
		b.set(b.key(func(k []byte) []byte { return deliveryKey(k, endpoint, position) }), e.delivery)
		b.set(b.key(func(k []byte) []byte { return laneKey(k, endpoint, e.object, position) }), e.lane)
		b.born = append(b.born, birth{endpoint: endpoint, object: e.object, position: position, due: schedule.Nanos(now)})
	}
}
