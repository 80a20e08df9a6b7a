// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

// reopen is the write that makes deliveries pending, and due.
type reopen struct {
	waiter
	rows []selected
	// create makes missing deliveries; hasten makes those due that wait for a
	// retry.
	create, hasten bool
	now            time.Time

	born     []birth
	hastened []birth
	// moved counts the bytes of attempts that became rows of their own, and
	// busy has the deliveries whose attempts had no more room.
	moved int
	busy  []selected
}

// maxMoved limits the bytes of attempts that one write makes rows of their own:
// as many as one record may have, and some four times what the emitter records
// of maxChanged deliveries.
const maxMoved = 512 << 10

// reserved counts the records of attempts that become rows of their own. Their
// number and their sizes are not known yet.
func (wr *reopen) reserved() *reopen {
	for i := range wr.rows {
		wr.need(len(wr.rows[i].Endpoint)+17, len(wr.rows[i].EventID)+16)
	}
	wr.bytes += maxMoved
	return wr
}

func (wr *reopen) changed() (int, []selected) { return len(wr.born) + len(wr.hastened), wr.busy }

func (wr *reopen) stage(b *batch) error {
	for i := range wr.rows {
		if err := wr.one(b, &wr.rows[i]); err != nil && b.failed == nil {
			// Other rows may have been added.
			b.failed = err
		}
	}
	return nil
}

func (wr *reopen) one(b *batch, row *selected) error {
	if _, err := b.s.readEvent(b.txn, row.position, false); err != nil {
		return ignoreGone(err)
	}
	d, first, err := b.readWithFirst(row.Endpoint, row.position)
	switch {
	case err != nil && !wr.create:
		return ignoreGone(err)
	case err != nil:
		if err := ignoreGone(err); err != nil {
			return err
		}
		d = row.Delivery
	case d.Status == queue.StatusPending:
		return wr.hastenOne(b, row)
	}
	if len(first.fields) > 0 {
		if wr.moved > 0 && wr.moved+len(first.fields) > maxMoved {
			wr.busy = append(wr.busy, *row)
			return nil
		}
		wr.moved += len(first.fields)
		// The delivery's record will hold a later attempt.
		b.setAttempt(d.Endpoint, row.position, 1, d.EventID, first.fields, first.expires)
	}
	object := objectName(d.Key)
	d.Status, d.FinishedAt, d.PriorAttempts = queue.StatusPending, time.Time{}, d.Attempts
	next := laneRecord{EventID: d.EventID, Attempts: uint32(d.Attempts), Prior: uint32(d.Attempts), DueAt: wr.now}
	b.set(
		b.key(func(k []byte) []byte { return deliveryKey(k, d.Endpoint, row.position) }),
		b.key(func(k []byte) []byte { return appendDelivery(k, &d, nil) }))
	b.set(
		b.key(func(k []byte) []byte { return laneKey(k, d.Endpoint, object, row.position) }),
		b.key(func(k []byte) []byte { return appendLane(k, &next) }))
	wr.born = append(wr.born, birth{endpoint: d.Endpoint, object: object, position: row.position, due: schedule.Nanos(wr.now)})
	return nil
}

// firstAttempt is the attempt in a delivery's record, without fields if there
// is none.
type firstAttempt struct {
	fields  []byte
	expires uint64
}

// readWithFirst reads a delivery, and the attempt in its record, into the
// batch's memory.
func (b *batch) readWithFirst(endpoint string, position uint64) (d queue.Delivery, first firstAttempt, err error) {
	item, err := b.txn.Get(deliveryKey(nil, endpoint, position))
	if err != nil {
		return d, first, err
	}
	err = item.Value(func(record []byte) error {
		f, err := parseDeliveryFields(record)
		if err != nil {
			return err
		}
		d = f.delivery(endpoint)
		first = firstAttempt{b.key(func(k []byte) []byte {
			if k = append(k, f.first...); len(f.first) > 0 && !f.sent {
				k = append(k, nothingSent...)
			}
			return k
		}), item.ExpiresAt()}
		return nil
	})
	return d, first, err
}

func (wr *reopen) hastenOne(b *batch, row *selected) error {
	object := objectName(row.Key)
	key := b.key(func(k []byte) []byte { return laneKey(k, row.Endpoint, object, row.position) })
	waiting, err := readLane(b.txn, key)
	if err != nil || !wr.hasten || !waiting.DueAt.After(wr.now) || b.s.lanes.holds(row.Endpoint, object, row.position) {
		return ignoreGone(err)
	}
	waiting.hasten(wr.now)
	b.set(key, b.key(func(k []byte) []byte { return appendLane(k, &waiting) }))
	wr.hastened = append(wr.hastened, birth{endpoint: row.Endpoint, object: object, position: row.position, due: schedule.Nanos(wr.now)})
	return nil
}

func (wr *reopen) committed(s *Store) {
	for i := range wr.born {
		s.lanes.reopen(&wr.born[i])
		s.sleepers.Wake([]queue.Scope{queue.OfEndpoint(wr.born[i].endpoint)})
	}
	for i := range wr.hastened {
		s.lanes.hasten(&wr.hastened[i])
	}
}

func (wr *reopen) aborted(*Store) {}
