// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Pending implements [queue.History].
func (s *Store) Pending(ctx context.Context, limit int) (pending []queue.PendingMark, err error) {
	now, c := s.now(), &s.clock
	var resource, id, fields []byte
	var until, fence int64
	err = s.read(ctx, func(b *batch) {
		b.each([]any{&resource, &id, &until, &fence, &fields}, func() error {
			r, err := parseMark(event.Key{Resource: string(resource), ID: string(id)}, fields)
			if err != nil {
				return err
			}
			pending = append(pending, queue.PendingMark{
				Key: r.Key, Generation: r.Generation, Tries: r.Tries, MarkedAt: c.out(r.MarkedAt), DueAt: c.out(r.DueAt),
				Leased: fence != 0 && until > now, LastError: r.LastError, Rule: r.Cause.Rule, Outcome: r.Cause.Outcome, SettleAt: c.out(r.SettleAt),
			})
			return nil
		}, "select resource, id, until, fence, record from webhooks.mark where not look and generation > 0 limit $1", limit)
	})
	return pending, err
}

// Stats implements [queue.History].
func (s *Store) Stats(ctx context.Context) (queue.Stats, error) {
	stats := queue.Stats{PendingDeliveries: make(map[string]int), Lanes: make(map[string]int)}
	var oldest *int64
	var endpoint []byte
	var n int
	err := s.read(ctx, func(b *batch) {
		b.sum(&stats.OpenIntents, "select count(*) from webhooks.intent")
		b.sum(&stats.Unresolved, "select count(*) from webhooks.unresolved")
		b.one(new(bool), []any{&stats.Marks, &stats.FailingMarks, &stats.Looks, &oldest}, `select count(*) filter (where not look),
			count(*) filter (where not look and tries > 0), count(*) filter (where look), min(marked) filter (where rank = 0) from webhooks.mark where generation > 0`)
		b.each([]any{&endpoint, &n}, func() error {
			stats.PendingDeliveries[string(endpoint)] = n
			return nil
		}, "select endpoint, count(*) from webhooks.pending where day >= 0 group by endpoint")
		b.each([]any{&endpoint, &n}, func() error {
			stats.Lanes[string(endpoint)] = n
			return nil
		}, "select endpoint, count(*) from webhooks.lane where until >= 0 group by endpoint")
	})
	if oldest != nil {
		stats.OldestMark = s.clock.out(moment(*oldest))
	}
	return stats, err
}
