// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"encoding/binary"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// deliveryVersion 1 has no prior attempts, and 2 no first attempt.
const deliveryVersion = 3

// appendDelivery encodes: event id, event type, key's resource, key's id,
// sequence, status, attempts, created at, finished at, prior attempts, first
// attempt. The endpoint and the event's position stand in the key. While a
// delivery is pending, its attempts and when it is due stand in its lane, so
// that a retry writes one of the two.
//
// Most deliveries are decided by their first attempt. That is part of their
// record, which is written then anyway, and a row of its own is saved; first
// is that attempt's fields, and empty for all other deliveries.
func appendDelivery(b []byte, d *queue.Delivery, first []byte) []byte {
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
	b = binary.AppendUvarint(b, uint64(d.PriorAttempts))
	return appendText(b, first)
}

// deliveryFields is a delivery's record taken apart. Its texts are parts of
// the record itself, so that who is after one of them does not pay for the
// others.
type deliveryFields struct {
	eventID, eventType, resource, id, status []byte
	sequence, attempts, prior                uint64
	createdAt, finishedAt                    time.Time
	// first is what appendAttemptFields has made of the attempt that decided
	// the delivery, if that was its first.
	first []byte
}

func parseDeliveryFields(record []byte) (deliveryFields, error) {
	r := newReader(record, deliveryVersion)
	f := deliveryFields{
		eventID:    r.bytes(),
		eventType:  r.bytes(),
		resource:   r.bytes(),
		id:         r.bytes(),
		sequence:   r.uint(),
		status:     r.bytes(),
		attempts:   r.uint(),
		createdAt:  r.time(),
		finishedAt: r.time(),
	}
	if r.version >= 2 {
		f.prior = r.uint()
	}
	if r.version >= 3 {
		f.first = r.bytes()
	}
	return f, r.end()
}

// parseDelivery decodes what a record says of the delivery itself.
func parseDelivery(endpoint string, record []byte) (queue.Delivery, error) {
	f, err := parseDeliveryFields(record)
	return f.delivery(endpoint), err
}

func (f *deliveryFields) delivery(endpoint string) queue.Delivery {
	return queue.Delivery{
		EventID:       string(f.eventID),
		EventType:     string(f.eventType),
		Key:           event.Key{Resource: string(f.resource), ID: string(f.id)},
		Sequence:      f.sequence,
		Endpoint:      endpoint,
		Status:        queue.Status(f.status),
		Attempts:      int(f.attempts),
		PriorAttempts: int(f.prior),
		CreatedAt:     f.createdAt,
		FinishedAt:    f.finishedAt,
	}
}

// parseFirst decodes the attempt that a delivery's record holds, and tells
// whether it holds one.
func parseFirst(endpoint string, record []byte) (a queue.Attempt, held bool, err error) {
	f, err := parseDeliveryFields(record)
	if err != nil || len(f.first) == 0 {
		return a, false, err
	}
	a = queue.Attempt{EventID: string(f.eventID), Endpoint: endpoint, Number: 1}
	r := reader{rest: f.first}
	r.attempt(&a)
	return a, true, r.end()
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

// attemptVersion changes with the fields of an attempt. As deliveries hold
// these, too, deliveryVersion does then.
const attemptVersion = 1

// appendAttempt encodes: event id, the attempt's fields. The endpoint, the
// event's position and the number stand in the key.
func appendAttempt(b []byte, eventID string, fields []byte) []byte {
	b = append(b, attemptVersion)
	b = appendText(b, eventID)
	return append(b, fields...)
}

// appendAttemptFields encodes: at, duration, code, error, response.
func appendAttemptFields(b []byte, a *queue.Attempt) []byte {
	b = appendTime(b, a.At)
	b = binary.AppendUvarint(b, uint64(a.Duration))
	b = binary.AppendUvarint(b, uint64(a.Code))
	b = appendText(b, a.Error)
	return appendText(b, a.Response)
}

func parseAttemptRecord(endpoint string, number uint32, record []byte) (queue.Attempt, error) {
	r := newReader(record, attemptVersion)
	a := queue.Attempt{EventID: r.text(), Endpoint: endpoint, Number: int(number)}
	r.attempt(&a)
	return a, r.end()
}

// attempt reads what appendAttemptFields has written.
func (r *reader) attempt(a *queue.Attempt) {
	a.At = r.time()
	a.Duration = time.Duration(r.uint())
	a.Code = int(r.uint())
	a.Error = r.text()
	a.Response = r.bytes()
}
