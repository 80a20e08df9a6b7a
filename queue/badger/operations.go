// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"runtime"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/cursor"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

// maxChanged is how many deliveries are changed in one transaction, so that
// what the API's own requests wait for is not held up.
const maxChanged = 64

// Redeliver implements [queue.Operations].
func (s *Store) Redeliver(ctx context.Context, selection queue.Selection, page queue.Page) (int, queue.Cursor, error) {
	found, err := s.selectDeliveries(ctx, selection, page, cursor.Limit(page))
	if err != nil {
		return 0, "", err
	}
	return s.inSteps(ctx, found, func(rows []selected) changing { return (&reopen{rows: rows, hasten: true, now: s.now()}).reserved() })
}

// Replay implements [queue.Operations].
func (s *Store) Replay(ctx context.Context, endpoint string, selection queue.Selection, page queue.Page) (int, queue.Cursor, error) {
	found, err := s.selectEvents(ctx, endpoint, selection, page, cursor.Limit(page))
	if err != nil {
		return 0, "", err
	}
	return s.inSteps(ctx, found, func(rows []selected) changing { return (&reopen{rows: rows, create: true, now: s.now()}).reserved() })
}

// Cancel implements [queue.Operations].
func (s *Store) Cancel(ctx context.Context, selection queue.Selection, page queue.Page) (int, queue.Cursor, error) {
	return s.end(ctx, selection, page, queue.StatusCancelled)
}

// Expire implements [queue.Operations].
func (s *Store) Expire(ctx context.Context, selection queue.Selection, page queue.Page) (int, queue.Cursor, error) {
	return s.end(ctx, selection, page, queue.StatusDead)
}

// end decides what is pending and not leased.
func (s *Store) end(ctx context.Context, selection queue.Selection, page queue.Page, as queue.Status) (int, queue.Cursor, error) {
	found, err := s.selectDeliveries(ctx, selection, page, cursor.Limit(page))
	if err != nil {
		return 0, "", err
	}
	return s.inSteps(ctx, found, func(rows []selected) changing { return &ending{rows: rows, as: as, now: s.now()} })
}

// changing is an operation that changes deliveries.
type changing interface {
	operation
	// changed counts those that it has changed, and returns those that it could
	// not change just then.
	changed() (n int, busy []selected)
}

// inSteps changes what was found, a few at a time.
func (s *Store) inSteps(ctx context.Context, found selecting, step func(rows []selected) changing) (int, queue.Cursor, error) {
	changed, patience := 0, 1000
	for rest := found.rows; len(rest) > 0; {
		n := min(len(rest), maxChanged)
		some := rest[:n]
		op := step(some)
		w := op.wait()
		w.durable = true
		if err := w.needRows(some); err != nil {
			return changed, "", err
		}
		if err := s.submit(ctx, op); err != nil {
			return changed, "", err
		}
		done, busy := op.changed()
		changed += done
		if rest = rest[len(some):]; len(busy) > 0 && patience > 0 {
			// That is over when a worker or the committer has had its turn.
			patience--
			runtime.Gosched()
			rest = append(slices.Clone(busy), rest...)
		}
	}
	return changed, found.next, nil
}

// needRows counts the records of deliveries and of their lanes.
func (w *waiter) needRows(rows []selected) error {
	for i := range rows {
		row := &rows[i]
		names := len(row.Endpoint) + len(row.Key.Resource) + len(row.Key.ID) + len(row.EventID) + len(row.EventType)
		if names > maxKey {
			return queue.ErrTooLarge
		}
		w.need(names, 64)
		w.need(names, 64)
	}
	return nil
}

// reopen is the operation that makes deliveries pending, and due.
type reopen struct {
	waiter
	rows []selected
	// create makes those that there never were; hasten makes those due that
	// wait for a retry.
	create, hasten bool
	now            time.Time

	born     []birth
	hastened []birth
	// moved counts the bytes of the attempts that became rows of their own, and
	// busy has the deliveries whose attempts had no room any more.
	moved int
	busy  []selected
}

// maxMoved is how many bytes of attempts one operation makes rows of their own:
// as many as one record may have, and some four times what the emitter records
// of the answers to maxChanged deliveries.
const maxMoved = 512 << 10

// reserved counts the records of attempts that become rows of their own.
// Nobody knows yet how large they are, nor how many.
func (op *reopen) reserved() *reopen {
	for i := range op.rows {
		op.need(len(op.rows[i].Endpoint)+17, len(op.rows[i].EventID)+16)
	}
	op.bytes += maxMoved
	return op
}

func (op *reopen) changed() (int, []selected) { return len(op.born) + len(op.hastened), op.busy }

func (op *reopen) stage(b *batch) error {
	for i := range op.rows {
		if err := op.one(b, &op.rows[i]); err != nil && b.failed == nil {
			// Others may have been written.
			b.failed = err
		}
	}
	return nil
}

func (op *reopen) one(b *batch, row *selected) error {
	if _, err := b.s.readEvent(b.txn, row.position, false); err != nil {
		return ignoreGone(err)
	}
	d, first, err := b.readWithFirst(row.Endpoint, row.position)
	switch {
	case err != nil && !op.create:
		return ignoreGone(err)
	case err != nil:
		if err := ignoreGone(err); err != nil {
			return err
		}
		d = row.Delivery
	case d.Status == queue.StatusPending:
		return op.hastenOne(b, row)
	}
	if len(first.fields) > 0 {
		if op.moved > 0 && op.moved+len(first.fields) > maxMoved {
			op.busy = append(op.busy, *row)
			return nil
		}
		op.moved += len(first.fields)
		// Its record will be that of a later attempt.
		b.setAttempt(d.Endpoint, row.position, 1, d.EventID, first.fields, first.expires)
	}
	object := objectName(d.Key)
	d.Status, d.FinishedAt, d.PriorAttempts = queue.StatusPending, time.Time{}, d.Attempts
	next := laneRecord{EventID: d.EventID, Attempts: uint32(d.Attempts), Prior: uint32(d.Attempts), DueAt: op.now}
	b.set(
		b.key(func(k []byte) []byte { return deliveryKey(k, d.Endpoint, row.position) }),
		b.key(func(k []byte) []byte { return appendDelivery(k, &d, nil) }))
	b.set(
		b.key(func(k []byte) []byte { return laneKey(k, d.Endpoint, object, row.position) }),
		b.key(func(k []byte) []byte { return appendLane(k, &next) }))
	op.born = append(op.born, birth{endpoint: d.Endpoint, object: object, position: row.position, due: schedule.Nanos(op.now)})
	return nil
}

// firstAttempt is the attempt that a delivery's record holds; it has no fields
// if there is none.
type firstAttempt struct {
	fields  []byte
	expires uint64
}

// readWithFirst reads a delivery, and the attempt in its record into the
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
		first = firstAttempt{b.key(func(k []byte) []byte { return append(k, f.first...) }), item.ExpiresAt()}
		return nil
	})
	return d, first, err
}

func (op *reopen) hastenOne(b *batch, row *selected) error {
	object := objectName(row.Key)
	key := b.key(func(k []byte) []byte { return laneKey(k, row.Endpoint, object, row.position) })
	waiting, err := readLane(b.txn, key)
	if err != nil || !op.hasten || !waiting.DueAt.After(op.now) || b.s.lanes.holds(row.Endpoint, object, row.position) {
		return ignoreGone(err)
	}
	waiting.DueAt = op.now
	b.set(key, b.key(func(k []byte) []byte { return appendLane(k, &waiting) }))
	op.hastened = append(op.hastened, birth{endpoint: row.Endpoint, object: object, position: row.position, due: schedule.Nanos(op.now)})
	return nil
}

func (op *reopen) committed(s *Store) {
	for i := range op.born {
		s.lanes.reopen(&op.born[i])
	}
	for i := range op.hastened {
		s.lanes.hasten(&op.hastened[i])
	}
}

func (op *reopen) aborted(*Store) {}

// ending is the operation of Cancel and of Expire.
type ending struct {
	waiter
	rows []selected
	as   queue.Status
	now  time.Time

	ended int
	busy  []selected
	lanes []*endedLane
}

// endedLane is a lane, or a part of one, that loses deliveries.
type endedLane struct {
	endpoint, key string
	// held is the lane's, if nobody else has it. Otherwise it is leased with
	// its head.
	held      schedule.Lease[lane]
	leased    bool
	head      uint64
	positions []uint64
}

func (op *ending) changed() (int, []selected) { return op.ended, op.busy }

func (op *ending) stage(b *batch) error {
	for i := range op.rows {
		if err := op.one(b, &op.rows[i]); err != nil && b.failed == nil {
			b.failed = err
		}
	}
	return nil
}

func (op *ending) one(b *batch, row *selected) error {
	d, err := readDelivery(b.txn, row.Endpoint, row.position)
	if err != nil || d.Status != queue.StatusPending || b.unpublished(row.Endpoint, row.position) {
		return ignoreGone(err)
	}
	object := objectName(d.Key)
	waiting, err := readLane(b.txn, laneKey(nil, d.Endpoint, object, row.position))
	if err != nil {
		return ignoreGone(err)
	}
	in, busy := op.lane(b.s, d.Endpoint, object, row.position)
	switch {
	case busy:
		op.busy = append(op.busy, *row)
		return nil
	case in == nil, in.leased && in.head == row.position:
		return nil
	}
	b.decide(d.Endpoint, object, laneRow{position: row.position, laneRecord: waiting}, op.as, op.now)
	in.positions = append(in.positions, row.position)
	op.ended++
	return nil
}

// lane returns the lane of a delivery, seized if nobody has it. It is busy for
// the moment in which whoever has leased it finds its head, or the committer
// ends its lease. It is nil if it is not known.
func (op *ending) lane(s *Store, endpoint, object string, position uint64) (in *endedLane, busy bool) {
	for _, key := range []string{schedule.PartKey(object, position), object} {
		for _, in := range op.lanes {
			if in.endpoint == endpoint && in.key == key {
				return in, false
			}
		}
		in := &endedLane{endpoint: endpoint, key: key}
		if held, seized := s.lanes.due.Seize(endpoint, key); seized {
			in.held = held
			op.lanes = append(op.lanes, in)
			return in, false
		}
		state, info, known := s.lanes.due.Get(endpoint, key)
		if !known {
			continue
		}
		_, _, part := schedule.ParsePart(key)
		if !info.Leased || info.Pinned || state.attempts == finished || !part && s.lanes.due.Order(endpoint) == queue.OrderNone {
			return nil, true
		}
		in.leased, in.head = true, state.head
		op.lanes = append(op.lanes, in)
		return in, false
	}
	return nil, false
}

func (op *ending) committed(s *Store) {
	for _, in := range op.lanes {
		switch {
		case len(in.positions) > 0:
			s.lanes.leave(in.endpoint, in.key, in.held.Fence, in.positions, in.held.Due, schedule.Nanos(op.now))
		case !in.leased:
			op.giveBack(s, in)
		}
	}
}

func (op *ending) aborted(s *Store) {
	for _, in := range op.lanes {
		if !in.leased {
			op.giveBack(s, in)
		}
	}
}

func (op *ending) giveBack(s *Store, in *endedLane) {
	s.lanes.due.Finish(in.held.Fence, func(*lane) (int64, bool) { return in.held.Due, true })
}
