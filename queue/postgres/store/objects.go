// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"context"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// objectRow is an object as its table holds it.
type objectRow struct {
	object, resource, id []byte
	sequence             int64
	gone                 bool
	record, show         []byte
}

const objectColumns = "object, resource, id, sequence, gone, record, show"

func (r *objectRow) into() []any {
	return []any{&r.object, &r.resource, &r.id, &r.sequence, &r.gone, &r.record, &r.show}
}

// snapshot returns the object as a caller gets it.
func (r *objectRow) snapshot(s *Store) (event.Snapshot, error) {
	snapshot := event.Snapshot{
		Key:      event.Key{Resource: string(r.resource), ID: string(r.id)},
		Sequence: uint64(r.sequence), Gone: r.gone,
	}
	if len(r.show) > 0 {
		snapshot.Show = bytes.Clone(r.show)
	}
	err := parseSnapshot(&snapshot, bytes.Clone(r.record))
	c := &s.clock
	snapshot.Time, snapshot.ChangedAt, snapshot.Deleting = c.out(snapshot.Time), c.out(snapshot.ChangedAt), c.out(snapshot.Deleting)
	return snapshot, err
}

// putObject replaces what is known of an object.
func (s *Store) putObject(b *batch, of *event.Snapshot) {
	kept, c := *of, &s.clock
	kept.Time, kept.ChangedAt, kept.Deleting = c.in(of.Time), c.in(of.ChangedAt), c.in(of.Deleting)
	touched := nanos(kept.Time)
	if kept.ChangedAt.After(kept.Time) {
		touched = nanos(kept.ChangedAt)
	}
	var alias []byte
	if kept.Alias != "" {
		alias = objectOf(event.Key{Resource: kept.Key.Resource, ID: kept.Alias})
	}
	b.do(`insert into webhooks.object (object, resource, id, sequence, gone, alias, touched, record, show)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		on conflict (object) do update set sequence = excluded.sequence, gone = excluded.gone, alias = excluded.alias,
		  touched = excluded.touched, record = excluded.record, show = excluded.show`,
		objectOf(kept.Key), []byte(kept.Key.Resource), []byte(kept.Key.ID), int64(kept.Sequence), kept.Gone, alias, touched,
		appendSnapshot(nil, &kept), kept.Show)
}

// Object implements [queue.Objects].
func (s *Store) Object(ctx context.Context, key event.Key) (event.Snapshot, error) {
	row, found := &objectRow{}, false
	err := s.read(ctx, func(b *batch) {
		b.one(&found, row.into(), "select "+objectColumns+" from webhooks.object where object = $1", objectOf(key))
	})
	switch {
	case err != nil:
		return event.Snapshot{}, err
	case !found:
		return event.Snapshot{}, queue.ErrNotFound
	}
	return row.snapshot(s)
}

// behind is the condition that an object comes behind a key in the order of ids. The index
// holds the beginning of an id, as ids may be longer than it takes.
const behind = " ($2 or (substring(id for 500), id) > (substring($3::bytea for 500), $3::bytea)) "

// Objects implements [queue.Objects].
func (s *Store) Objects(ctx context.Context, resource string, after event.Key, limit int) (listed []event.Snapshot, err error) {
	row := &objectRow{}
	err = s.read(ctx, func(b *batch) {
		b.each(row.into(), func() error {
			snapshot, err := row.snapshot(s)
			listed = append(listed, snapshot)
			return err
		}, "select "+objectColumns+" from webhooks.object where resource = $1 and"+behind+"order by substring(id for 500), id limit $4",
			[]byte(resource), after.IsZero(), []byte(after.ID), limit)
	})
	return listed, err
}

// Unseen implements [queue.Objects].
func (s *Store) Unseen(ctx context.Context, resource string, after event.Key, limit int) ([]event.Key, error) {
	return s.markedKeys(ctx, resource, after, limit,
		"not look and not exists (select from webhooks.object o where o.object = m.object and not o.gone)")
}

// Unread implements [queue.Introductions].
func (s *Store) Unread(ctx context.Context, resource string, after event.Key, limit int) ([]event.Key, error) {
	return s.markedKeys(ctx, resource, after, limit,
		"look and not exists (select from webhooks.object o where o.object = m.object)")
}

func (s *Store) markedKeys(ctx context.Context, resource string, after event.Key, limit int, which string) (keys []event.Key, err error) {
	var id []byte
	err = s.read(ctx, func(b *batch) {
		b.each([]any{&id}, func() error {
			keys = append(keys, event.Key{Resource: resource, ID: string(id)})
			return nil
		}, "select id from webhooks.mark m where resource = $1 and"+behind+"and "+which+" order by substring(id for 500), id limit $4",
			[]byte(resource), after.IsZero(), []byte(after.ID), limit)
	})
	return keys, err
}

// Callback implements [queue.Objects].
func (s *Store) Callback(ctx context.Context, key event.Key) (callback queue.Callback, err error) {
	found := false
	err = s.read(ctx, func(b *batch) {
		b.one(&found, []any{&callback.Sealed, &callback.Closed}, "select sealed, closed from webhooks.callback where object = $1", objectOf(key))
	})
	if err == nil && !found {
		err = queue.ErrNotFound
	}
	return callback, err
}

// PutCallback implements [queue.Objects].
func (s *Store) PutCallback(ctx context.Context, key event.Key, was, sealed []byte) error {
	changed := 0
	err := s.say(ctx, kept, func(b *batch) {
		b.count(&changed, "update webhooks.callback set sealed = $3 where object = $1 and sealed = $2", objectOf(key), was, sealed)
	})
	if err == nil && changed == 0 {
		err = queue.ErrNotFound
	}
	return err
}
