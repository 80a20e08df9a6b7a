// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"errors"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/mark"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

// maxReason is how much of a retry's reason is kept, in bytes.
const maxReason = 1 << 10

// postponed is how long a mark waits whose records cannot be read.
const postponed = time.Minute

// LeaseMark implements [queue.Marks].
func (s *Store) LeaseMark(ctx context.Context, resource string, lease time.Duration) (queue.MarkLease, error) {
	for {
		held, err := s.marks.due.Lease(ctx, resource, lease)
		if err != nil {
			return queue.MarkLease{}, err
		}
		leased, err := s.readMark(held)
		if err == nil {
			return leased, nil
		}
		if errors.Is(err, queue.ErrClosed) {
			return queue.MarkLease{}, err
		}
		s.damaged("mark", err)
		// The others need not wait for it.
		if held, err := s.marks.due.Pin(held.Fence); err == nil {
			s.marks.postpone(held, s.now().Add(postponed))
		}
	}
}

// readMark reads what is stored of a leased mark and its object. A mark that
// was merged since the lease belongs to it: nobody has asked for Show yet.
func (s *Store) readMark(held schedule.Lease[markState]) (queue.MarkLease, error) {
	key := event.Key{Resource: held.Group, ID: held.Key}
	leased := queue.MarkLease{Fence: held.Fence}
	// The caller has the lease now, so it is not the context that ends this.
	err := s.view(context.Background(), func(txn *badgerdb.Txn) error {
		record, err := readMark(txn, key)
		if errors.Is(err, errDamaged) || errors.Is(err, badgerdb.ErrKeyNotFound) {
			// What the mark told is lost, but not which object it is about.
			s.damaged("mark", err)
			record, err = mark.New(queue.Mark{Key: key}, s.now()), nil
		}
		if err != nil {
			return err
		}
		leased.Mark = record.Mark
		leased.Generation = record.Generation
		leased.Tries = record.Tries
		leased.MarkedAt = record.MarkedAt
		leased.Look = record.IsLook()
		if leased.Snapshot, err = s.readSnapshot(txn, key); err != nil {
			return err
		}
		leased.Floor = s.floors.get(key.Resource)
		leased.Callback, err = s.callbackOf(txn, key)
		return err
	})
	return leased, err
}

func readMark(txn *badgerdb.Txn, key event.Key) (mark.Record, error) {
	item, err := txn.Get(objectKey(nil, kindMark, key))
	if err != nil {
		return mark.Record{}, err
	}
	var record mark.Record
	err = item.Value(func(value []byte) error {
		var err error
		record, err = parseMark(key, value)
		return err
	})
	return record, err
}

// commitReconciled is the operation of CommitReconciled.
type commitReconciled struct {
	waiter
	lease    queue.MarkLease
	askedAt  time.Time
	lookAt   time.Time
	snapshot []byte
	// stale are the keys of the parts of the Show that the snapshot replaces.
	stale  [][]byte
	events []routedEvent
	marks  markings
	// unresolved is a record that is kept, under a number.
	unresolved    []byte
	number        queue.IntentID
	closeCallback bool
	now           time.Time

	held    schedule.Lease[markState]
	cleared bool
	left    mark.Record
}

// CommitReconciled implements [queue.Marks].
func (s *Store) CommitReconciled(ctx context.Context, lease queue.MarkLease, reconciled queue.Reconciled) error {
	op := &commitReconciled{
		lease:         lease,
		askedAt:       reconciled.AskedAt,
		lookAt:        reconciled.LookAt,
		marks:         newMarkings(reconciled.Marks),
		closeCallback: reconciled.CloseCallback,
		now:           s.now(),
	}
	op.durable = true
	key := len(lease.Key.Resource) + len(lease.Key.ID)
	op.need(key, maxReason, len(lease.Version), causeSize(&lease.Mark), 128)
	if reconciled.Unresolved != "" {
		op.number = queue.IntentID(s.lastIntent.Add(1))
		kept := mark.Unresolved(op.number, &lease.Mark, reconciled.Unresolved, op.now)
		op.unresolved = appendUnresolved(nil, &kept)
		op.need(9, len(op.unresolved))
	}
	if op.closeCallback {
		op.need(key, queue.MaxCallback)
	}
	if err := op.marks.need(&op.waiter); err != nil {
		return err
	}
	shows := showStager{s: s, fence: lease.Fence, expires: s.expiry()}
	if err := op.encodeSnapshot(ctx, &shows, reconciled.Snapshot); err != nil {
		return err
	}
	if err := op.encode(reconciled.Events, &shows); err != nil {
		return err
	}
	if err := shows.submit(ctx, op); err != nil {
		return err
	}
	return s.submit(ctx, op)
}

// encodeSnapshot puts a large Show into parts of its own, so that what is
// committed together stays small.
func (op *commitReconciled) encodeSnapshot(ctx context.Context, shows *showStager, snapshot *event.Snapshot) error {
	if snapshot == nil {
		return nil
	}
	record := snapshotRecord{Snapshot: *snapshot}
	key, known := op.lease.Key, op.lease.Snapshot
	if len(snapshot.Show) > partSize || known != nil && len(known.Show) > partSize {
		before, err := shows.s.storedSnapshot(ctx, key)
		if err != nil {
			return err
		}
		for part := range before.Parts {
			op.stale = append(op.stale, showKey(nil, key, before.Slot, part))
			op.need(len(op.stale[part]))
		}
		if len(snapshot.Show) > partSize {
			record.Slot = 1 - before.Slot
			record.Parts = shows.add(snapshot.Show, false, func(part int) []byte { return showKey(nil, key, record.Slot, part) })
		}
	}
	op.snapshot = appendSnapshot(nil, &record)
	op.need(len(key.Resource)+len(key.ID), len(op.snapshot))
	return nil
}

// encode does what can be done outside of the committer: it has the most to
// do of all.
func (op *commitReconciled) encode(events []queue.Routed, shows *showStager) (err error) {
	op.events, err = encodeEvents(&op.waiter, events, op.now, shows)
	return err
}

func (op *commitReconciled) stage(b *batch) error {
	held, err := b.s.marks.due.Pin(op.lease.Fence)
	if err != nil {
		return err
	}
	op.held = held
	key := event.Key{Resource: held.Group, ID: held.Key}
	pending := b.mark(key)
	if !pending.exists {
		// Its record was lost; the lease tells what it was.
		pending.record = mark.New(op.lease.Mark, op.now)
		pending.record.Generation = op.lease.Generation
	}
	op.cleared = pending.record.Reconciled(op.lease.Generation, op.askedAt, op.lookAt, op.now)
	if op.cleared {
		b.clearMark(key)
	} else {
		op.left = pending.record
		b.setMark(&op.left)
	}
	if op.snapshot != nil {
		b.set(b.key(func(k []byte) []byte { return objectKey(k, kindSnapshot, key) }), op.snapshot)
	}
	for _, key := range op.stale {
		b.delete(key)
	}
	if op.closeCallback {
		b.closeCallback(objectKey(nil, kindCallback, key))
	}
	if op.unresolved != nil {
		b.setUntil(numberKey(nil, kindUnresolved, uint64(op.number)), op.unresolved, b.s.expiry())
	}
	op.marks.stage(b, op.now)
	for i := range op.events {
		b.append(&op.events[i], op.now)
	}
	return nil
}

func (op *commitReconciled) committed(s *Store) {
	if op.cleared {
		s.marks.clear(op.held)
	} else {
		s.marks.stay(op.held, &op.left)
	}
	if op.unresolved != nil {
		s.intents.keep(schedule.Nanos(op.now))
	}
	op.marks.committed(s)
}

func (op *commitReconciled) aborted(s *Store) {
	s.marks.due.Unpin(op.held.Fence)
}

// retryMark is the operation of RetryMark.
type retryMark struct {
	waiter
	lease  queue.MarkLease
	at     time.Time
	reason string
	now    time.Time

	held schedule.Lease[markState]
	gone bool
	left mark.Record
}

// RetryMark implements [queue.Marks].
func (s *Store) RetryMark(ctx context.Context, lease queue.MarkLease, at time.Time, reason string) error {
	if reason == "" {
		// Most such are looks that a budget has no room for.
		if err := s.enter(ctx); err != nil {
			return err
		}
		done, err := s.marks.later(lease.Fence, at)
		s.leave()
		if done || err != nil {
			return err
		}
	}
	op := &retryMark{lease: lease, at: at, reason: clip(reason, maxReason), now: s.now()}
	op.need(len(lease.Key.Resource)+len(lease.Key.ID), maxReason, len(lease.Version), causeSize(&lease.Mark), 128)
	return s.submit(ctx, op)
}

func (op *retryMark) stage(b *batch) error {
	held, err := b.s.marks.due.Pin(op.lease.Fence)
	if err != nil {
		return err
	}
	op.held = held
	pending := b.mark(event.Key{Resource: held.Group, ID: held.Key})
	if op.gone = !pending.exists; op.gone {
		return nil
	}
	pending.record.Retry(op.lease.Generation, op.at, op.reason, op.now)
	op.left = pending.record
	b.setMark(&op.left)
	return nil
}

func (op *retryMark) committed(s *Store) {
	if op.gone {
		s.marks.clear(op.held)
		return
	}
	s.marks.stay(op.held, &op.left)
}

func (op *retryMark) aborted(s *Store) {
	s.marks.due.Unpin(op.held.Fence)
}

// clip shortens a text to a number of bytes, at the boundary of a character.
func clip(text string, size int) string {
	if len(text) <= size {
		return text
	}
	for size > 0 && text[size]&0xC0 == 0x80 {
		size--
	}
	return text[:size]
}
