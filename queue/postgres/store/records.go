// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"math"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/cursor"
)

// recordRow is a record as its table holds it.
type recordRow struct {
	kind, id, owner, value []byte
	version, expires       int64
}

const recordColumns = "kind, id, owner, version, expires, value"

func (r *recordRow) into() []any {
	return []any{&r.kind, &r.id, &r.owner, &r.version, &r.expires, &r.value}
}

func (r *recordRow) record(s *Store) queue.Record {
	return queue.Record{
		Kind: string(r.kind), ID: string(r.id), Owner: string(r.owner), Version: uint64(r.version),
		Expires: s.clock.out(moment(r.expires)), Value: append([]byte{}, r.value...),
	}
}

// notExpired is the condition that a record has not expired.
const notExpired = "(expires = -9223372036854775808 or expires > $1)"

// Change implements [queue.Records].
func (s *Store) Change(ctx context.Context, changes ...queue.Record) (version uint64, err error) {
	if err := queue.CheckChanges(changes); err != nil {
		return 0, err
	}
	var c *changing
	err = s.in(ctx, kept, func(t *step) (err error) {
		b := &batch{}
		if c, err = s.expect(ctx, t, changes); err != nil {
			return err
		}
		c.write(b)
		return t.end(ctx, b)
	})
	if err != nil {
		return 0, err
	}
	return c.done(), nil
}

// changing is a change of records. What is there is read without a lock. All locks are taken in
// the last message of the transaction, where what was read is compared: if it has changed, the
// transaction begins anew.
type changing struct {
	s       *Store
	now     int64
	changes []queue.Record
	current map[[2]string]*queue.Record
	moved   []string
	version int64
}

// expect reads the records, and checks what is expected of them.
func (s *Store) expect(ctx context.Context, t *step, changes []queue.Record) (*changing, error) {
	c := &changing{s: s, now: s.now(), changes: changes, current: make(map[[2]string]*queue.Record)}
	kinds, ids := make([][]byte, len(changes)), make([][]byte, len(changes))
	for i := range changes {
		kinds[i], ids[i] = []byte(changes[i].Kind), []byte(changes[i].ID)
	}
	row, ask := &recordRow{}, &batch{}
	ask.each(row.into(), func() error {
		r := row.record(s)
		c.current[[2]string{r.Kind, r.ID}] = &r
		return nil
	}, "select "+recordColumns+" from webhooks.record where (kind, id) in (select * from unnest($2::bytea[], $3::bytea[])) and "+notExpired, c.now, kinds, ids)
	if err := t.send(ctx, ask); err != nil {
		return nil, err
	}
	for i := range changes {
		change := &changes[i]
		was := c.current[[2]string{change.Kind, change.ID}]
		if err := change.Meets(was); err != nil {
			return nil, err
		}
		if (was != nil || !c.deletes(change)) && !slices.Contains(c.moved, change.Kind) {
			c.moved = append(c.moved, change.Kind)
		}
	}
	return c, nil
}

func (c *changing) deletes(change *queue.Record) bool {
	return change.Deletes(c.s.clock.out(moment(c.now)))
}

// write adds the changes to the last message of the transaction.
func (c *changing) write(b *batch) {
	if len(c.moved) == 0 {
		return
	}
	b.do("select pg_advisory_xact_lock(" + lockClass + ", " + recordsLock + ")")
	if slices.Contains(c.moved, queue.KindEndpoint) {
		// From here on to the commit nobody adds events.
		c.s.lockLog(b)
	}
	for i := range c.changes {
		change := &c.changes[i]
		version := int64(0)
		if was := c.current[[2]string{change.Kind, change.ID}]; was != nil {
			version = int64(was.Version)
		}
		b.do("select webhooks.require(coalesce((select version from webhooks.record where kind = $2 and id = $3 and "+notExpired+"), 0) = $4, '"+stateChanged+"', 'the record has changed')",
			c.now, []byte(change.Kind), []byte(change.ID), version)
	}
	b.one(new(bool), []any{&c.version}, "select nextval('webhooks.version')")
	for _, kind := range c.moved {
		b.do("delete from webhooks.record where kind = $2 and not "+notExpired, c.now, []byte(kind))
		b.do(`insert into webhooks.epoch (kind, version) values ($1, currval('webhooks.version'))
			on conflict (kind) do update set version = excluded.version`, []byte(kind))
	}
	for i := range c.changes {
		c.writeOne(b, &c.changes[i])
	}
	for _, kind := range c.moved {
		b.do(`with cut as (delete from webhooks.change where kind = $1
			and version <= (select version from webhooks.change where kind = $1 order by version desc offset $2 limit 1) returning version)
			update webhooks.epoch set since = greatest(since, (select max(version) from cut)) where kind = $1 and exists (select from cut)`,
			[]byte(kind), maxChanges)
	}
}

// maxChanges is how many changes of a kind are remembered. Who has missed more reads all.
const maxChanges = 2048

func (c *changing) writeOne(b *batch, change *queue.Record) {
	kind, id := []byte(change.Kind), []byte(change.ID)
	if c.deletes(change) {
		b.do("delete from webhooks.record where kind = $1 and id = $2", kind, id)
	} else {
		b.do(`insert into webhooks.record (kind, id, owner, version, expires, value) values ($1, $2, $3, currval('webhooks.version'), $4, $5)
			on conflict (kind, id) do update set owner = excluded.owner, version = excluded.version, expires = excluded.expires, value = excluded.value`,
			kind, id, []byte(change.Owner), nanos(c.s.clock.in(change.Expires)), change.Value)
	}
	b.do("insert into webhooks.change (kind, version, id) values ($1, currval('webhooks.version'), $2) on conflict do nothing", kind, id)
}

// done wakes those who wait for the changes, and returns their version, 0 if there is none.
func (c *changing) done() uint64 {
	for _, kind := range c.moved {
		c.s.epochs.Raise(kind, uint64(c.version), nil)
	}
	return uint64(c.version)
}

// Record implements [queue.Records].
func (s *Store) Record(ctx context.Context, kind, id string) (queue.Record, error) {
	row, found := &recordRow{}, false
	err := s.read(ctx, func(b *batch) {
		b.one(&found, row.into(), "select "+recordColumns+" from webhooks.record where kind = $2 and id = $3 and "+notExpired, s.now(), []byte(kind), []byte(id))
	})
	switch {
	case err != nil:
		return queue.Record{}, err
	case !found:
		return queue.Record{}, queue.ErrNotFound
	}
	return row.record(s), nil
}

// Records implements [queue.Records].
func (s *Store) Records(ctx context.Context, kind string, page queue.Page) ([]queue.Record, queue.Cursor, error) {
	return s.listRecords(ctx, &where{}, kind, page)
}

// RecordsOf implements [queue.Records].
func (s *Store) RecordsOf(ctx context.Context, kind, owner string, page queue.Page) ([]queue.Record, queue.Cursor, error) {
	w := &where{}
	w.and("owner = %s", []byte(owner))
	return s.listRecords(ctx, w, kind, page)
}

// RecordIDsOf implements [queue.Records]. No record is read.
func (s *Store) RecordIDsOf(ctx context.Context, kind, owner string, page queue.Page) (ids []string, next queue.Cursor, err error) {
	place, begun, err := cursor.Decode(cursor.Records, page.Cursor)
	if err != nil {
		return nil, "", err
	}
	w := &where{}
	w.and("kind = %s", []byte(kind))
	w.and("owner = %s", []byte(owner))
	w.and("(expires = %s or expires > %s)", int64(never), s.now())
	if begun {
		w.and("id > %s", []byte(place.Endpoint))
	}
	limit := cursor.Limit(page)
	var id []byte
	err = s.read(ctx, func(b *batch) {
		b.each([]any{&id}, func() error {
			ids = append(ids, string(id))
			return nil
		}, "select id from webhooks.record where "+w.String()+" order by id limit "+w.arg(limit+1), w.args...)
	})
	if len(ids) > limit {
		ids = ids[:limit]
		next = cursor.Encode(cursor.Records, cursor.Place{Endpoint: ids[limit-1]})
	}
	return ids, next, err
}

func (s *Store) listRecords(ctx context.Context, w *where, kind string, page queue.Page) (listed []queue.Record, next queue.Cursor, err error) {
	place, begun, err := cursor.Decode(cursor.Records, page.Cursor)
	if err != nil {
		return nil, "", err
	}
	w.and("kind = %s", []byte(kind))
	w.and("(expires = %s or expires > %s)", int64(never), s.now())
	if begun {
		w.and("id > %s", []byte(place.Endpoint))
	}
	limit, size, row, more := cursor.Limit(page), 0, &recordRow{}, false
	err = s.read(ctx, func(b *batch) {
		b.each(row.into(), func() error {
			if len(listed) == limit || size > 0 && size+len(row.value) > queue.MaxRecordsPage {
				more = true
				return errFull
			}
			size += len(row.value)
			listed = append(listed, row.record(s))
			return nil
		}, "select "+recordColumns+" from webhooks.record where "+w.String()+" order by id limit "+w.arg(limit+1), w.args...)
	})
	if !more {
		return listed, "", err
	}
	return listed, cursor.Encode(cursor.Records, cursor.Place{Endpoint: listed[len(listed)-1].ID}), nil
}

// Epoch implements [queue.Records].
func (s *Store) Epoch(ctx context.Context, kind string) (uint64, error) {
	var version int64
	err := s.read(ctx, func(b *batch) {
		b.one(new(bool), []any{&version}, "select version from webhooks.epoch where kind = $1", []byte(kind))
	})
	return uint64(version), err
}

// Changed implements [queue.Records].
func (s *Store) Changed(ctx context.Context, kind string, after uint64) (ids []string, known bool, err error) {
	var since int64
	var id []byte
	err = s.read(ctx, func(b *batch) {
		b.one(new(bool), []any{&since}, "select since from webhooks.epoch where kind = $1", []byte(kind))
		b.each([]any{&id}, func() error {
			ids = append(ids, string(id))
			return nil
		}, "select distinct id from webhooks.change where kind = $1 and version > $2", []byte(kind), int64(min(after, math.MaxInt64)))
	})
	if err != nil || after < uint64(since) {
		return nil, false, err
	}
	return ids, true, nil
}

// Await implements [queue.Records]. What other nodes change is found by looking from time to
// time.
func (s *Store) Await(ctx context.Context, kind string, after uint64) (uint64, error) {
	epoch, err := s.Epoch(ctx, kind)
	if err != nil || epoch > after {
		return epoch, err
	}
	return s.epochs.Await(ctx, kind, after)
}
