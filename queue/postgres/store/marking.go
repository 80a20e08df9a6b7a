// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"context"
	"math"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/mark"
)

// markRow is a mark as its table holds it.
type markRow struct {
	object []byte
	mark.Record
	until, fence int64
	// marked is false for a row that was only made to lock the object, or is cleared.
	marked bool
}

// marking changes marks in one transaction. All rows are locked before anything is decided:
// first those that are not there yet, which are made, and then all others, both in the order
// of their objects. So two nodes never wait for each other.
type marking struct {
	s    *Store
	now  int64
	rows map[string]*markRow
	// order has the objects as they were named: of those that are due at once, the first is
	// leased first.
	order []string
	// known and callbacks are what is known of the objects that get a receiver.
	known     map[string]*event.Snapshot
	callbacks map[string]*queue.Callback
	named     map[string][]byte
}

// lock locks the marks of objects, and makes those that are missing if it is told to.
func (s *Store) lock(ctx context.Context, t *step, keys, receivers []event.Key, made bool) (*marking, error) {
	m := &marking{s: s, now: s.now(), rows: make(map[string]*markRow), named: make(map[string][]byte)}
	m.known, m.callbacks = make(map[string]*event.Snapshot), make(map[string]*queue.Callback)
	byObject := make(map[string]event.Key, len(keys))
	for _, key := range keys {
		object := string(objectOf(key))
		if _, again := byObject[object]; !again {
			m.order = append(m.order, object)
		}
		byObject[object] = key
	}
	objects, resources, ids := make([][]byte, 0, len(byObject)), make([][]byte, 0, len(byObject)), make([][]byte, 0, len(byObject))
	for object := range byObject {
		objects = append(objects, []byte(object))
	}
	slices.SortFunc(objects, bytes.Compare)
	for _, object := range objects {
		key := byObject[string(object)]
		resources, ids = append(resources, []byte(key.Resource)), append(ids, []byte(key.ID))
	}
	b := &batch{}
	if made {
		b.do(`insert into webhooks.mark (object, resource, id)
			select object, resource, id from unnest($1::bytea[], $2::bytea[], $3::bytea[]) m (object, resource, id) order by object
			on conflict (object) do nothing`, objects, resources, ids)
	}
	var object, fields []byte
	var until, fence, generation int64
	b.each([]any{&object, &until, &fence, &generation, &fields}, func() error {
		row := &markRow{object: bytes.Clone(object), until: until, fence: fence, marked: generation > 0}
		if row.marked {
			var err error
			if row.Record, err = parseMark(byObject[string(object)], bytes.Clone(fields)); err != nil {
				return err
			}
		}
		m.rows[string(object)] = row
		return nil
	}, "select object, until, fence, generation, record from webhooks.mark where object = any($1) order by object for update", objects)
	m.readReceivers(b, receivers)
	if err := t.send(ctx, b); err != nil {
		return nil, err
	}
	if made && len(m.rows) < len(objects) {
		// Another transaction has cleared one between the two statements.
		return nil, errAgain
	}
	return m, nil
}

// readReceivers reads what decides whether objects take a receiver.
func (m *marking) readReceivers(b *batch, keys []event.Key) {
	if len(keys) == 0 {
		return
	}
	objects := make([][]byte, len(keys))
	for i, key := range keys {
		objects[i] = objectOf(key)
	}
	row := &objectRow{}
	b.each(row.into(), func() error {
		snapshot, err := row.snapshot(m.s)
		m.known[string(row.object)] = &snapshot
		return err
	}, "select "+objectColumns+" from webhooks.object where object = any($1)", objects)
	var object, sealed []byte
	var closed bool
	b.each([]any{&object, &sealed, &closed}, func() error {
		m.callbacks[string(object)] = &queue.Callback{Sealed: bytes.Clone(sealed), Closed: closed}
		return nil
	}, "select object, sealed, closed from webhooks.callback where object = any($1) for update", objects)
}

// receiversOf returns the objects that get a receiver by some marks.
func receiversOf(marks []queue.Mark) (keys []event.Key) {
	for i := range marks {
		if len(marks[i].Callback) > 0 {
			keys = append(keys, marks[i].Key)
		}
	}
	return keys
}

// add marks an object.
func (m *marking) add(added queue.Mark) {
	object := string(objectOf(added.Key))
	if len(added.Callback) > 0 {
		if queue.TakesCallback(&added, m.known[object], m.callbacks[object]) {
			m.callbacks[object] = &queue.Callback{Sealed: added.Callback}
			m.named[object] = added.Callback
		}
		added.Callback = nil
	}
	c := &m.s.clock
	added.SettleAt, added.After, added.Cause.At = c.in(added.SettleAt), c.in(added.After), c.in(added.Cause.At)
	row, now := m.rows[object], moment(m.now)
	if row.marked {
		row.Merge(added, now)
	} else {
		row.Record, row.marked = mark.New(added, now), true
	}
}

// wake returns when the row may be leased.
func (r *markRow) wake(now int64) int64 {
	if r.fence != 0 && r.until > now {
		return r.until
	}
	return nanos(r.DueAt)
}

// write writes what has become of the rows.
func (m *marking) write(b *batch) {
	var cleared, objects, records [][]byte
	var ranks, tries []int32
	var wakes, untils, fences, generations, marked []int64
	var looks []bool
	for _, object := range m.order {
		row := m.rows[object]
		if row == nil {
			continue // it has no mark, and gets none
		}
		if !row.marked {
			cleared = append(cleared, row.object)
			continue
		}
		rank := int32(0)
		if row.Yields() {
			rank = 1
		}
		objects, records = append(objects, row.object), append(records, appendMark(nil, &row.Record))
		ranks, tries = append(ranks, rank), append(tries, int32(min(row.Tries, math.MaxInt32)))
		wakes, untils, fences = append(wakes, row.wake(m.now)), append(untils, row.until), append(fences, row.fence)
		generations = append(generations, int64(row.Generation))
		marked, looks = append(marked, nanos(row.MarkedAt)), append(looks, row.IsLook())
	}
	if len(cleared) > 0 {
		b.do("delete from webhooks.mark where object = any($1)", cleared)
	}
	if len(objects) > 0 {
		b.do(`update webhooks.mark m set rank = n.rank, wake = n.wake, until = n.until, fence = n.fence, generation = n.generation,
			look = n.look, tries = n.tries, marked = n.marked, record = n.record
			from unnest($1::bytea[], $2::integer[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::boolean[], $8::integer[], $9::bigint[], $10::bytea[])
			  n (object, rank, wake, until, fence, generation, look, tries, marked, record)
			where m.object = n.object`, objects, ranks, wakes, untils, fences, generations, looks, tries, marked, records)
	}
	for object, sealed := range m.named {
		b.do(`insert into webhooks.callback (object, sealed) values ($1, $2)
			on conflict (object) do update set sealed = excluded.sealed, closed = false`, []byte(object), sealed)
	}
}
