// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

// deliveryVersion 1 has no prior attempts, 2 no first attempt, and 3 none that says what it
// sent. A record without an attempt is written as version 3.
const (
	deliveryVersion     = 4
	deliveryVersionBare = 3
)

// appendDelivery encodes: event id, event type, key's resource, key's id,
// sequence, status, attempts, created at, finished at, prior attempts, first
// attempt. The endpoint and the event's position stand in the key. While a
// delivery is pending, its attempts and its due time stand in its lane, so that
// a retry writes one of the two.
//
// Most deliveries are decided by their first attempt. It stands in the
// delivery's record, which is written then anyway, and needs no row. first is
// that attempt's fields, and empty for all other deliveries.
func appendDelivery(b []byte, d *queue.Delivery, first []byte) []byte {
	version := byte(deliveryVersion)
	if len(first) == 0 {
		version = deliveryVersionBare
	}
	b = append(b, version)
	b = record.AppendText(b, d.EventID)
	b = record.AppendText(b, d.EventType)
	b = record.AppendText(b, d.Key.Resource)
	b = record.AppendText(b, d.Key.ID)
	b = binary.AppendUvarint(b, d.Sequence)
	b = record.AppendText(b, d.Status)
	b = binary.AppendUvarint(b, uint64(d.Attempts))
	b = record.AppendTime(b, d.CreatedAt)
	b = record.AppendTime(b, d.FinishedAt)
	b = binary.AppendUvarint(b, uint64(d.PriorAttempts))
	return record.AppendText(b, first)
}

// deliveryFields is a delivery's record taken apart. Its texts are parts of the
// record, so that readers of one field do not pay for the others.
type deliveryFields struct {
	eventID, eventType, resource, id, status []byte
	sequence, attempts, prior                uint64
	createdAt, finishedAt                    time.Time
	// first is the encoded attempt that decided the delivery, if that was its
	// first. It says what was sent if sent is true.
	first []byte
	sent  bool
}

func parseDeliveryFields(b []byte) (deliveryFields, error) {
	r := record.NewReader(b, deliveryVersion)
	f := deliveryFields{
		eventID:    r.Bytes(),
		eventType:  r.Bytes(),
		resource:   r.Bytes(),
		id:         r.Bytes(),
		sequence:   r.Uint(),
		status:     r.Bytes(),
		attempts:   r.Uint(),
		createdAt:  r.Time(),
		finishedAt: r.Time(),
	}
	if r.Version >= 2 {
		f.prior = r.Uint()
	}
	if r.Version >= 3 {
		f.first, f.sent = r.Bytes(), r.Version >= 4
	}
	return f, r.End()
}

// parseDelivery decodes the fields of the delivery itself.
func parseDelivery(endpoint string, b []byte) (queue.Delivery, error) {
	f, err := parseDeliveryFields(b)
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

// parseFirst decodes the attempt in a delivery's record, and reports whether
// there is one.
func parseFirst(endpoint string, b []byte) (a queue.Attempt, held bool, err error) {
	f, err := parseDeliveryFields(b)
	if err != nil || len(f.first) == 0 {
		return a, false, err
	}
	a = queue.Attempt{EventID: string(f.eventID), Endpoint: endpoint, Number: 1}
	r := record.Reader{Rest: f.first}
	decodeAttempt(&r, &a, f.sent)
	return a, true, r.End()
}

// laneVersion 1 has no prior attempts, and 2 was not hastened. Most rows never
// are, and are written as version 2.
const (
	laneVersion         = 3
	laneVersionOrdinary = 2
)

// laneRecord is what a pending delivery has beyond its key.
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
	// Extra counts those since then that were hastened, and From is when the
	// next would be due if it were not.
	Extra uint32
	From  time.Time
}

// hasten makes a delivery due. One that was hastened before keeps its time.
func (l *laneRecord) hasten(now time.Time) {
	if l.From.IsZero() {
		l.From = l.DueAt
	}
	l.DueAt = now
}

// appendLane encodes: event id, attempts, due at, prior; extra, from.
func appendLane(b []byte, l *laneRecord) []byte {
	version := byte(laneVersion)
	if l.Extra == 0 && l.From.IsZero() {
		version = laneVersionOrdinary
	}
	b = append(b, version)
	b = record.AppendText(b, l.EventID)
	b = binary.AppendUvarint(b, uint64(l.Attempts))
	b = record.AppendTime(b, l.DueAt)
	b = binary.AppendUvarint(b, uint64(l.Prior))
	if version == laneVersionOrdinary {
		return b
	}
	b = binary.AppendUvarint(b, uint64(l.Extra))
	return record.AppendTime(b, l.From)
}

func parseLane(b []byte) (laneRecord, error) {
	r := record.NewReader(b, laneVersion)
	l := laneRecord{EventID: r.Text(), Attempts: uint32(r.Uint()), DueAt: r.Time()}
	if r.Version >= 2 {
		l.Prior = uint32(r.Uint())
	}
	if r.Version >= 3 {
		l.Extra, l.From = uint32(r.Uint()), r.Time()
	}
	return l, r.End()
}

// attemptVersion changes with the fields of an attempt. Deliveries hold these
// fields, too, so deliveryVersion changes with it. Version 1 does not say what was sent.
const attemptVersion = 2

// appendAttempt encodes: event id, the attempt's fields. The endpoint, the
// event's position and the number stand in the key.
func appendAttempt(b []byte, eventID string, fields []byte) []byte {
	b = append(b, attemptVersion)
	b = record.AppendText(b, eventID)
	return append(b, fields...)
}

// appendAttemptFields encodes: at, duration, code, error, response, and what was sent: its
// host, and unless that is empty, settings, how many keys, each key, trace.
func appendAttemptFields(b []byte, a *queue.Attempt) []byte {
	b = record.AppendTime(b, a.At)
	b = binary.AppendUvarint(b, uint64(a.Duration))
	b = binary.AppendUvarint(b, uint64(a.Code))
	b = record.AppendText(b, a.Error)
	b = record.AppendText(b, a.Response)
	if a.Sent.IsZero() {
		return append(b, nothingSent...)
	}
	b = record.AppendText(b, a.Sent.Host)
	b = binary.AppendUvarint(b, uint64(a.Sent.Settings))
	b = binary.AppendUvarint(b, uint64(len(a.Sent.Keys)))
	for _, key := range a.Sent.Keys {
		name, err := hex.DecodeString(key)
		if err != nil {
			name = nil // it is no key's name
		}
		b = record.AppendText(b, name)
	}
	return record.AppendText(b, a.Sent.Trace)
}

// nothingSent ends the fields of an attempt that has sent nothing. It makes those that an
// earlier version has written what this one writes.
var nothingSent = []byte{0}

func parseAttemptRecord(endpoint string, number uint32, b []byte) (queue.Attempt, error) {
	r := record.NewReader(b, attemptVersion)
	a := queue.Attempt{EventID: r.Text(), Endpoint: endpoint, Number: int(number)}
	decodeAttempt(&r, &a, r.Version >= 2)
	return a, r.End()
}

// decodeAttempt decodes what appendAttemptFields has written. Earlier versions do not say what
// was sent.
func decodeAttempt(r *record.Reader, a *queue.Attempt, sent bool) {
	a.At = r.Time()
	a.Duration = time.Duration(r.Uint())
	a.Code = int(r.Uint())
	a.Error = r.Text()
	a.Response = r.Bytes()
	if !sent {
		return
	}
	if a.Sent.Host = r.Text(); a.Sent.Host == "" {
		return
	}
	a.Sent.Settings = uint16(r.Uint())
	for range r.Count() {
		a.Sent.Keys = append(a.Sent.Keys, hex.EncodeToString(r.Bytes()))
	}
	a.Sent.Trace = r.Text()
}
