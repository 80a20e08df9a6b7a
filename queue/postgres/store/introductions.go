// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Sighted implements [queue.Introductions].
func (s *Store) Sighted(ctx context.Context, key event.Key) (queue.Sighting, error) {
	var was queue.Sighting
	known, err := s.sight(ctx, key, func(ctx context.Context, b *batch) error {
		return s.read(ctx, func(all *batch) { all.QueuedQueries = b.QueuedQueries })
	}, &was)
	if err == nil && !known {
		err = queue.ErrNotFound
	}
	return was, err
}

// sight reads what is known of an object, and the generation of its mark.
func (s *Store) sight(ctx context.Context, key event.Key, send func(ctx context.Context, b *batch) error, into *queue.Sighting) (known bool, err error) {
	row, generation := &objectRow{}, int64(0)
	b := &batch{}
	b.one(&known, row.into(), "select "+objectColumns+" from webhooks.object where object = $1", objectOf(key))
	b.one(new(bool), []any{&generation}, "select generation from webhooks.mark where object = $1", objectOf(key))
	if err := send(ctx, b); err != nil || !known {
		return false, err
	}
	into.Generation = uint64(generation)
	into.Snapshot, err = row.snapshot(s)
	return true, err
}

// Introduce implements [queue.Introductions]. What is read first is compared in the last
// message, under the lock of the log: then nothing of the object was committed in between.
func (s *Store) Introduce(ctx context.Context, introduction queue.Introduction) (version uint64, err error) {
	if err := introduction.Check(); err != nil {
		return 0, err
	}
	key := introduction.Event.Key
	routed := queue.Routed{
		Event: introduction.Event, Endpoints: []string{introduction.Endpoint},
		Formats: map[string]string{introduction.Endpoint: introduction.Format},
	}
	var c *changing
	err = s.in(ctx, kept, func(t *step) (err error) {
		// The epoch counts before anything else.
		var now queue.Sighting
		var epoch int64
		var known *event.Snapshot
		first := &batch{}
		first.one(new(bool), []any{&epoch}, "select version from webhooks.epoch where kind = $1", []byte(queue.KindEndpoint))
		found, err := s.sight(ctx, key, func(ctx context.Context, b *batch) error {
			first.QueuedQueries = append(first.QueuedQueries, b.QueuedQueries...)
			return t.send(ctx, first)
		}, &now)
		switch {
		case err != nil:
			return err
		case uint64(epoch) != introduction.Epoch:
			return queue.ErrStale
		case found:
			known = &now.Snapshot
		}
		if err := introduction.Meets(known, now.Generation); err != nil {
			return err
		}
		if c, err = s.expect(ctx, t, []queue.Record{introduction.Progress}); err != nil {
			return err
		}
		b := &batch{}
		c.write(b)
		s.lockLog(b)
		s.requireEpoch(b, introduction.Epoch)
		b.do("select webhooks.require(coalesce((select generation from webhooks.mark where object = $1), 0) = $2, '"+stateMoved+"', 'the object was marked')",
			objectOf(key), int64(now.Generation))
		s.requireObject(b, known)
		s.log(b, &routed, s.now())
		return t.end(ctx, b)
	})
	if err != nil {
		return 0, err
	}
	s.ringEvents([]queue.Routed{routed})
	return c.done(), nil
}

// requireObject ends the transaction if what is known of an object has changed.
func (s *Store) requireObject(b *batch, known *event.Snapshot) {
	kept, c := *known, &s.clock
	kept.Time, kept.ChangedAt, kept.Deleting = c.in(known.Time), c.in(known.ChangedAt), c.in(known.Deleting)
	b.do(`select webhooks.require(exists (select from webhooks.object where object = $1 and sequence = $2 and gone = $3 and record = $4), '`+stateMoved+`', 'the object has moved')`,
		objectOf(known.Key), int64(known.Sequence), known.Gone, appendSnapshot(nil, &kept))
}
