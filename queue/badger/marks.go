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

// maxReason limits the reason of a retry, in bytes.
const maxReason = 1 << 10

// postponed is how long an unreadable mark waits.
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
		// Others must not wait for this mark.
		if held, err := s.marks.due.Pin(held.Fence); err == nil {
			s.marks.postpone(held, s.now().Add(postponed))
		}
	}
}

// readMark reads a leased mark and its object. Marks that were merged since the
// lease belong to it: nobody has asked for Show yet.
func (s *Store) readMark(held schedule.Lease[markState]) (queue.MarkLease, error) {
	key := event.Key{Resource: held.Group, ID: held.Key}
	leased := queue.MarkLease{Fence: held.Fence}
	// The caller has the lease now, so its context must not end this.
	err := s.view(context.Background(), func(txn *badgerdb.Txn) error {
		record, err := readMark(txn, key)
		if errors.Is(err, errDamaged) || errors.Is(err, badgerdb.ErrKeyNotFound) {
			// The mark's cause is lost, but not its object.
			s.damaged("mark", err)
			record, err = mark.New(queue.Mark{Key: key}, s.now()), nil
		}
		if err != nil {
			return err
		}
		leased.Mark = record.Mark
		leased.Generation = record.Generation
		leased.Tries = record.Tries
		leased.MarkedAt, leased.Began = record.MarkedAt, record.Began
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

// commitReconciled is the write of CommitReconciled.
type commitReconciled struct {
	waiter
	lease    queue.MarkLease
	askedAt  time.Time
	lookAt   time.Time
	snapshot []byte
	// stale are the keys of the Show parts that the snapshot replaces.
	stale  [][]byte
	events []routedEvent
	// epoch is that of the endpoints that the events are routed to.
	epoch uint64
	// guard is a record that has to be as it was.
	guard queue.Record
	marks markings
	// unresolved is the record to keep, under number.
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
	wr := &commitReconciled{
		lease:         lease,
		askedAt:       reconciled.AskedAt,
		epoch:         reconciled.Epoch,
		lookAt:        reconciled.LookAt,
		marks:         newMarkings(reconciled.Marks),
		closeCallback: reconciled.CloseCallback,
		guard:         reconciled.Guard,
		now:           s.now(),
	}
	wr.durable = true
	key := len(lease.Key.Resource) + len(lease.Key.ID)
	wr.need(key, maxReason, len(lease.Version), causeSize(&lease.Mark), 128)
	if reconciled.Unresolved != "" {
		wr.number = queue.IntentID(s.lastIntent.Add(1))
		kept := mark.Unresolved(wr.number, &lease.Mark, reconciled.Unresolved, wr.now)
		wr.unresolved = appendUnresolved(nil, &kept)
		wr.need(9, len(wr.unresolved))
	}
	if wr.closeCallback {
		wr.need(key, queue.MaxCallback)
	}
	if err := wr.marks.need(&wr.waiter); err != nil {
		return err
	}
	shows := showStager{s: s, fence: lease.Fence, expires: s.expiry()}
	if err := wr.encodeSnapshot(ctx, &shows, reconciled.Snapshot); err != nil {
		return err
	}
	if err := wr.encode(reconciled.Events, &shows); err != nil {
		return err
	}
	if err := shows.submit(ctx, wr); err != nil {
		return err
	}
	return s.submit(ctx, wr)
}

// encodeSnapshot moves a large Show into parts of its own, so that the commit
// stays small.
func (wr *commitReconciled) encodeSnapshot(ctx context.Context, shows *showStager, snapshot *event.Snapshot) error {
	if snapshot == nil {
		return nil
	}
	record := snapshotRecord{Snapshot: *snapshot}
	key, known := wr.lease.Key, wr.lease.Snapshot
	if len(snapshot.Show) > partSize || known != nil && len(known.Show) > partSize {
		before, err := shows.s.storedSnapshot(ctx, key)
		if err != nil {
			return err
		}
		for part := range before.Parts {
			wr.stale = append(wr.stale, showKey(nil, key, before.Slot, part))
			wr.need(len(wr.stale[part]))
		}
		if len(snapshot.Show) > partSize {
			record.Slot = 1 - before.Slot
			record.Parts = shows.add(snapshot.Show, false, func(part int) []byte { return showKey(nil, key, record.Slot, part) })
		}
	}
	wr.snapshot = appendSnapshot(nil, &record)
	wr.need(len(key.Resource)+len(key.ID), len(wr.snapshot))
	return nil
}

// encode does what needs no committer, which has the most to do of all.
func (wr *commitReconciled) encode(events []queue.Routed, shows *showStager) (err error) {
	wr.events, err = encodeEvents(&wr.waiter, events, wr.now, shows)
	return err
}

func (wr *commitReconciled) stage(b *batch) error {
	held, err := b.s.marks.due.Pin(wr.lease.Fence)
	if err != nil {
		return err
	}
	if err := wr.routedToPresent(b); err != nil {
		b.s.marks.due.Unpin(wr.lease.Fence)
		return err
	}
	wr.held = held
	key := event.Key{Resource: held.Group, ID: held.Key}
	pending := b.mark(key)
	if !pending.exists {
		// The mark's record was lost; the lease has what it said.
		pending.record = mark.New(wr.lease.Mark, wr.now)
		pending.record.Generation = wr.lease.Generation
	}
	wr.cleared = pending.record.Reconciled(wr.lease.Generation, wr.askedAt, wr.lookAt, wr.now)
	if wr.cleared {
		b.clearMark(key)
	} else {
		wr.left = pending.record
		b.setMark(&wr.left)
	}
	if wr.snapshot != nil {
		b.set(b.key(func(k []byte) []byte { return objectKey(k, kindSnapshot, key) }), wr.snapshot)
	}
	for _, key := range wr.stale {
		b.delete(key)
	}
	if wr.closeCallback {
		b.closeCallback(objectKey(nil, kindCallback, key))
	}
	if wr.unresolved != nil {
		b.setUntil(numberKey(nil, kindUnresolved, uint64(wr.number)), wr.unresolved, b.s.expiry())
	}
	wr.marks.stage(b, wr.now)
	for i := range wr.events {
		b.append(&wr.events[i], wr.now)
	}
	return nil
}

// routedToPresent fails with [queue.ErrStale] if what the events go to was decided by
// something that is not so any more.
func (wr *commitReconciled) routedToPresent(b *batch) error {
	guarded := wr.guard.Kind != ""
	if (len(wr.events) > 0 || guarded) && wr.epoch != b.versions.routing {
		return queue.ErrStale
	}
	if !guarded {
		return nil
	}
	current, err := b.record(wr.guard.Kind, wr.guard.ID)
	if err != nil {
		return err
	}
	if current != nil && current.Expired(wr.now) {
		current = nil
	}
	return wr.guard.Stale(current)
}

func (wr *commitReconciled) committed(s *Store) {
	if wr.cleared {
		s.marks.clear(wr.held)
	} else {
		s.marks.stay(wr.held, &wr.left)
	}
	if wr.unresolved != nil {
		s.intents.keep(schedule.Nanos(wr.now))
	}
	wr.marks.committed(s)
}

func (wr *commitReconciled) aborted(s *Store) {
	s.marks.due.Unpin(wr.held.Fence)
}

// retryMark is the write of RetryMark.
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
		// Most such marks are looks that a budget has no room for.
		if err := s.enter(ctx); err != nil {
			return err
		}
		done, err := s.marks.later(lease.Fence, at)
		s.leave()
		if done || err != nil {
			return err
		}
	}
	wr := &retryMark{lease: lease, at: at, reason: clip(reason, maxReason), now: s.now()}
	wr.need(len(lease.Key.Resource)+len(lease.Key.ID), maxReason, len(lease.Version), causeSize(&lease.Mark), 128)
	return s.submit(ctx, wr)
}

func (wr *retryMark) stage(b *batch) error {
	held, err := b.s.marks.due.Pin(wr.lease.Fence)
	if err != nil {
		return err
	}
	wr.held = held
	pending := b.mark(event.Key{Resource: held.Group, ID: held.Key})
	if wr.gone = !pending.exists; wr.gone {
		return nil
	}
	pending.record.Retry(wr.lease.Generation, wr.at, wr.reason, wr.now)
	wr.left = pending.record
	b.setMark(&wr.left)
	return nil
}

func (wr *retryMark) committed(s *Store) {
	if wr.gone {
		s.marks.clear(wr.held)
		return
	}
	s.marks.stay(wr.held, &wr.left)
}

func (wr *retryMark) aborted(s *Store) {
	s.marks.due.Unpin(wr.held.Fence)
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
