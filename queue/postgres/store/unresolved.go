// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"math"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/cursor"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/mark"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

// keepUnresolved keeps a record of a mark whose cause may have changed something that cannot be
// found.
func (s *Store) keepUnresolved(b *batch, of *queue.Mark, reason string, now time.Time) {
	number := s.self.Load().number()
	kept := mark.Unresolved(queue.IntentID(number), of, reason, now)
	intent := s.intentIn(kept.Intent)
	b.do("insert into webhooks.unresolved (id, resource, at, reason, record) values ($1, $2, $3, $4, $5)",
		number, []byte(intent.Resource), nanos(now), []byte(reason), record.AppendIntent(nil, &intent))
}

// Unresolved implements [queue.History].
func (s *Store) Unresolved(ctx context.Context, page queue.Page) (listed []queue.Unresolved, next queue.Cursor, err error) {
	place, begun, err := cursor.Decode(cursor.Unresolved, page.Cursor)
	if err != nil {
		return nil, "", err
	}
	before, beforeID := int64(math.MaxInt64), int64(math.MaxInt64)
	if begun {
		before, beforeID = int64(place.Position), int64(place.Number)
	}
	limit := cursor.Limit(page)
	var id, when int64
	var reason, fields []byte
	var last cursor.Place
	err = s.read(ctx, func(b *batch) {
		b.each([]any{&id, &when, &reason, &fields}, func() error {
			if len(listed) == limit {
				next = cursor.Encode(cursor.Unresolved, last)
				return nil
			}
			intent, err := record.ParseIntent(queue.IntentID(id), fields)
			listed = append(listed, queue.Unresolved{Intent: s.intentOut(intent), Reason: string(reason), At: s.clock.out(moment(when))})
			last = cursor.Place{Position: uint64(when), Number: uint64(id)}
			return err
		}, "select id, at, reason, record from webhooks.unresolved where (at, id) < ($1, $2) order by at desc, id desc limit $3", before, beforeID, limit+1)
	})
	return listed, next, err
}

// DismissUnresolved implements [queue.Unresolveds].
func (s *Store) DismissUnresolved(ctx context.Context, id queue.IntentID) error {
	dismissed, err := s.dismiss(ctx, "id = $1", int64(id))
	if err == nil && dismissed == 0 {
		err = queue.ErrNotFound
	}
	return err
}

// DismissUnresolvedBefore implements [queue.Unresolveds].
func (s *Store) DismissUnresolvedBefore(ctx context.Context, resource string, t time.Time) (int, error) {
	return s.dismiss(ctx, "at < $1 and ($2::bytea = '' or resource = $2)", nanos(s.clock.in(t)), []byte(resource))
}

func (s *Store) dismiss(ctx context.Context, which string, args ...any) (dismissed int, err error) {
	err = s.say(ctx, kept, func(b *batch) {
		dismissed = 0
		b.count(&dismissed, "delete from webhooks.unresolved where "+which, args...)
	})
	return dismissed, err
}
