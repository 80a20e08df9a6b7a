// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"encoding/binary"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// deliveryVersion 1 has no prior attempts.
const deliveryVersion = 2

// appendDelivery encodes: event id, event type, key's resource, key's id,
// sequence, status, attempts, created at, finished at, prior attempts. The
// endpoint and the
// event's position stand in the key. While a delivery is pending, its attempts
// and when it is due stand in its lane, so that a retry writes one of the two.
func appendDelivery(b []byte, d *queue.Delivery) []byte {
	b = append(b, deliveryVersion)
	b = appendText(b, d.EventID)
	b = appendText(b, d.EventType)
	b = appendText(b, d.Key.Resource)
	b = appendText(b, d.Key.ID)
	b = binary.AppendUvarint(b, d.Sequence)
	b = appendText(b, d.Status)
	b = binary.AppendUvarint(b, uint64(d.Attempts))
	b = appendTime(b, d.CreatedAt)
	b = appendTime(b, d.FinishedAt)
	return binary.AppendUvarint(b, uint64(d.PriorAttempts))
}

func parseDelivery(endpoint string, record []byte) (queue.Delivery, error) {
	r := newReader(record, deliveryVersion)
	d := queue.Delivery{
		EventID:    r.text(),
		EventType:  r.text(),
		Key:        event.Key{Resource: r.text(), ID: r.text()},
		Sequence:   r.uint(),
		Endpoint:   endpoint,
		Status:     queue.Status(r.text()),
		Attempts:   int(r.uint()),
		CreatedAt:  r.time(),
		FinishedAt: r.time(),
	}
	if r.version >= 2 {
		d.PriorAttempts = int(r.uint())
	}
	return d, r.end()
}

// laneVersion 1 has no prior attempts.
const laneVersion = 2

// laneRecord is what a pending delivery needs beyond its key.
type laneRecord struct {
	// EventID outlives the event's own record.
	EventID string
	// Attempts counts the attempts made.
	Attempts uint32
	// DueAt is when the next is due.
	DueAt time.Time
	// Prior counts those of them that were made before the delivery was asked
	// for again.
	Prior uint32
}

// appendLane encodes: event id, attempts, due at, prior.
func appendLane(b []byte, l *laneRecord) []byte {
	b = append(b, laneVersion)
	b = appendText(b, l.EventID)
	b = binary.AppendUvarint(b, uint64(l.Attempts))
	b = appendTime(b, l.DueAt)
	return binary.AppendUvarint(b, uint64(l.Prior))
}

func parseLane(record []byte) (laneRecord, error) {
	r := newReader(record, laneVersion)
	l := laneRecord{EventID: r.text(), Attempts: uint32(r.uint()), DueAt: r.time()}
	if r.version >= 2 {
		l.Prior = uint32(r.uint())
	}
	return l, r.end()
}

const attemptVersion = 1

// appendAttempt encodes: event id, at, duration, code, error, response. The
// endpoint, the event's position and the number stand in the key.
func appendAttempt(b []byte, a *queue.Attempt) []byte {
	b = append(b, attemptVersion)
	b = appendText(b, a.EventID)
	b = appendTime(b, a.At)
	b = binary.AppendUvarint(b, uint64(a.Duration))
	b = binary.AppendUvarint(b, uint64(a.Code))
	b = appendText(b, a.Error)
	return appendText(b, a.Response)
}

func parseAttemptRecord(endpoint string, number uint32, record []byte) (queue.Attempt, error) {
	r := newReader(record, attemptVersion)
	a := queue.Attempt{
		EventID:  r.text(),
		Endpoint: endpoint,
		Number:   int(number),
		At:       r.time(),
		Duration: time.Duration(r.uint()),
		Code:     int(r.uint()),
		Error:    r.text(),
		Response: r.bytes(),
	}
	return a, r.end()
}
