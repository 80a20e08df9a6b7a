// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"context"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/mark"
)

// LeaseMark implements [queue.Marks].
func (s *Store) LeaseMark(ctx context.Context, resource string, lease time.Duration) (leased queue.MarkLease, err error) {
	err = s.await(ctx, marksOf(resource), func(ctx context.Context) (found bool, next int64, err error) {
		err = s.in(ctx, loose, func(t *step) error {
			found, next, err = s.leaseMark(ctx, t, resource, lease, &leased)
			return err
		})
		return found, next, err
	})
	return leased, err
}

// leaseMark leases the mark that is due longest; looks and unconfirmed ones come after all
// others. If there is none, it returns when the next one is due.
func (s *Store) leaseMark(ctx context.Context, t *step, resource string, lease time.Duration, leased *queue.MarkLease) (found bool, next int64, err error) {
	now, fence := s.now(), s.self.Load().number()
	var object, id, fields []byte
	var soonest *int64
	b := &batch{}
	b.one(&found, []any{&object, &id, &fields}, `with
		first as (select object from webhooks.mark where resource = $1 and rank = 0 and wake <= $2 order by wake limit 1 for update skip locked),
		second as (select object from webhooks.mark where not exists (select from first)
			and resource = $1 and rank = 1 and wake <= $2 order by wake limit 1 for update skip locked)
		update webhooks.mark m set wake = $3, until = $3, fence = $4
		from (select object from first union all select object from second) due
		where m.object = due.object returning m.object, m.id, m.record`, []byte(resource), now, now+int64(lease), fence)
	b.one(new(bool), []any{&soonest}, `select min(wake) from (
		(select wake from webhooks.mark where resource = $1 and rank = 0 and wake > $2 order by wake limit 1) union all
		(select wake from webhooks.mark where resource = $1 and rank = 1 and wake > $2 order by wake limit 1)) soon`, []byte(resource), now)
	if err := t.send(ctx, b); err != nil {
		return false, never, err
	}
	if !found {
		if next = never; soonest != nil {
			next = *soonest
		}
		return false, next, t.end(ctx, &batch{})
	}
	record, err := parseMark(event.Key{Resource: resource, ID: string(id)}, fields)
	if err != nil {
		return false, never, err
	}
	*leased = s.markLease(&record, fence)
	object = bytes.Clone(object)
	if err := s.describe(ctx, t, object, leased); err != nil {
		s.doubts.add(func(f *freeing) { f.mark(object, fence) })
		return false, never, err
	}
	s.marks.add(fence, object, now+int64(lease), now)
	return true, never, nil
}

func (s *Store) markLease(r *mark.Record, fence int64) queue.MarkLease {
	m, c := r.Mark, &s.clock
	m.SettleAt, m.Cause.At = c.out(m.SettleAt), c.out(m.Cause.At)
	return queue.MarkLease{
		Mark: m, Generation: r.Generation, Tries: r.Tries, MarkedAt: c.out(r.MarkedAt), Began: c.out(r.Began), Look: r.IsLook(),
		Fence: uint64(fence),
	}
}

// describe adds to a lease what is known of the object, and commits. It is asked after the
// lease is there: what another node has committed of the object before is seen.
func (s *Store) describe(ctx context.Context, t *step, object []byte, leased *queue.MarkLease) error {
	var known, has bool
	var callback queue.Callback
	var floor int64
	row := &objectRow{}
	b := &batch{}
	b.one(&known, row.into(), "select "+objectColumns+" from webhooks.object where object = $1", object)
	b.one(&has, []any{&callback.Sealed, &callback.Closed}, "select sealed, closed from webhooks.callback where object = $1", object)
	b.one(new(bool), []any{&floor}, "select sequence from webhooks.floor where resource = $1", []byte(leased.Key.Resource))
	if err := t.end(ctx, b); err != nil {
		return err
	}
	leased.Floor = uint64(floor)
	if has {
		leased.Callback = &callback
	}
	if known {
		snapshot, err := row.snapshot(s)
		if err != nil {
			return err
		}
		leased.Snapshot = &snapshot
	}
	return nil
}

// holding returns the locked row of a lease that is held.
func (m *marking) holding(lease *queue.MarkLease) (*markRow, error) {
	row := m.rows[string(objectOf(lease.Key))]
	if row == nil || !row.marked || row.fence == 0 || uint64(row.fence) != lease.Fence || row.until <= m.now {
		return nil, queue.ErrLeaseLost
	}
	return row, nil
}

// CommitReconciled implements [queue.Marks].
func (s *Store) CommitReconciled(ctx context.Context, lease queue.MarkLease, reconciled queue.Reconciled) error {
	if len(reconciled.Marks) > maxMarks {
		return queue.ErrTooLarge
	}
	keys := []event.Key{lease.Key}
	for i := range reconciled.Marks {
		keys = append(keys, reconciled.Marks[i].Key)
	}
	err := s.in(ctx, kept, func(t *step) error {
		m, err := s.lock(ctx, t, keys, receiversOf(reconciled.Marks), len(keys) > 1)
		if err != nil {
			return err
		}
		row, err := m.holding(&lease)
		if err != nil {
			return err
		}
		b := &batch{}
		s.apply(b, m, row, &lease, &reconciled)
		return t.end(ctx, b)
	})
	if err != nil {
		s.doubtMark(&lease, err)
		return err
	}
	s.marks.drop(int64(lease.Fence))
	s.ringMarks(keys)
	s.ringEvents(reconciled.Events)
	return nil
}

// apply adds what a reconciliation changes to the last message of its transaction.
func (s *Store) apply(b *batch, m *marking, row *markRow, lease *queue.MarkLease, reconciled *queue.Reconciled) {
	c, now := &s.clock, moment(m.now)
	object := string(row.object)
	cleared := row.Reconciled(lease.Generation, c.in(reconciled.AskedAt), c.in(reconciled.LookAt), now)
	row.marked, row.until, row.fence = !cleared, 0, 0
	if reconciled.CloseCallback {
		b.do("update webhooks.callback set closed = true where object = $1", row.object)
		if has := m.callbacks[object]; has != nil {
			has.Closed = true
		}
	}
	if reconciled.Unresolved != "" {
		s.keepUnresolved(b, &lease.Mark, reconciled.Unresolved, now)
	}
	if reconciled.Snapshot != nil {
		snapshot := *reconciled.Snapshot
		snapshot.Key = lease.Key
		s.putObject(b, &snapshot)
		m.known[object] = &snapshot
	}
	for _, added := range reconciled.Marks {
		m.add(added)
	}
	m.write(b)
	guard := &reconciled.Guard
	if guard.Kind != "" {
		s.requireRecord(b, guard)
	}
	if len(reconciled.Events) > 0 || guard.Kind != "" {
		s.lockLog(b)
		s.requireEpoch(b, reconciled.Epoch)
		for i := range reconciled.Events {
			s.log(b, &reconciled.Events[i], m.now)
		}
	}
}

// RetryMark implements [queue.Marks].
func (s *Store) RetryMark(ctx context.Context, lease queue.MarkLease, at time.Time, reason string) error {
	err := s.in(ctx, loose, func(t *step) error {
		m, err := s.lock(ctx, t, []event.Key{lease.Key}, nil, false)
		if err != nil {
			return err
		}
		row, err := m.holding(&lease)
		if err != nil {
			return err
		}
		row.Retry(lease.Generation, s.clock.in(at), reason, moment(m.now))
		row.until, row.fence = 0, 0
		b := &batch{}
		m.write(b)
		return t.end(ctx, b)
	})
	if err == nil {
		s.marks.drop(int64(lease.Fence))
		s.ringMarks([]event.Key{lease.Key})
	} else {
		s.doubtMark(&lease, err)
	}
	return err
}
