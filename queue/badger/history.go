// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"math"
	"slices"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/cursor"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

// Events implements [queue.History].
func (s *Store) Events(ctx context.Context, filter queue.Filter, page queue.Page) ([]event.Event, queue.Cursor, error) {
	rows, after, err := newRows[event.Event](cursor.Events, page)
	if err != nil {
		return nil, "", err
	}
	from := uint64(math.MaxUint64)
	if after != nil {
		from = after.Position - 1
	}
	err = s.view(ctx, func(txn *badgerdb.Txn) error {
		return s.eachEvent(ctx, txn, filter, from, func(position uint64, record eventRecord) (bool, error) {
			if !matches(filter, &record) {
				return rows.pass(cursor.Place{Position: position}), nil
			}
			if rows.full() {
				return rows.add(cursor.Place{}, event.Event{}), nil
			}
			full, err := s.readEvent(txn, position, true)
			if err != nil {
				return true, s.skip("event", err)
			}
			return rows.add(cursor.Place{Position: position}, full.Event), nil
		})
	})
	return rows.page, rows.next, err
}

// Event implements [queue.History].
func (s *Store) Event(ctx context.Context, id string) (event.Event, error) {
	var found event.Event
	err := s.view(ctx, func(txn *badgerdb.Txn) error {
		position, err := s.positionOf(txn, id)
		if err != nil {
			return err
		}
		record, err := s.readEvent(txn, position, true)
		found = record.Event
		return err
	})
	return found, err
}

// Deliveries implements [queue.History]. The deliveries of one endpoint stand
// together; those of all are merged.
func (s *Store) Deliveries(ctx context.Context, filter queue.Filter, page queue.Page) ([]queue.Delivery, queue.Cursor, error) {
	return s.deliveries(ctx, reachOf(filter), filter, page, maxLooked)
}

// maxMerged is how many rows of several endpoints one page of a subscriber looks at: each has
// to be sought.
const maxMerged = 2000

// DeliveriesTo implements [queue.History].
func (s *Store) DeliveriesTo(ctx context.Context, endpoints []string, filter queue.Filter, page queue.Page) ([]queue.Delivery, queue.Cursor, error) {
	filter.EventID = ""
	of, most := reach{endpoints: slices.Compact(slices.Sorted(slices.Values(endpoints)))}, maxMerged
	if _, alone := of.one(); alone {
		most = maxLooked
	}
	return s.deliveries(ctx, of, filter, page, most)
}

// deliveries lists deliveries, and looks at no more than most rows that do not match.
func (s *Store) deliveries(ctx context.Context, of reach, filter queue.Filter, page queue.Page, most int) ([]queue.Delivery, queue.Cursor, error) {
	rows, after, err := newRows[queue.Delivery](cursor.Deliveries, page)
	if err != nil {
		return nil, "", err
	}
	rows.most = most
	add := func(txn *badgerdb.Txn, position uint64, d queue.Delivery) (bool, error) {
		if filter.EventID != "" && filter.EventID != d.EventID ||
			filter.Type != "" && filter.Type != d.EventType ||
			!filter.Key.IsZero() && filter.Key != d.Key ||
			filter.Status != "" && filter.Status != d.Status {
			return rows.pass(cursor.Place{Position: position, Endpoint: d.Endpoint}), nil
		}
		if err := s.joinLane(txn, position, &d); err != nil {
			return false, err
		}
		return rows.add(cursor.Place{Position: position, Endpoint: d.Endpoint}, d), nil
	}
	err = s.view(ctx, func(txn *badgerdb.Txn) error {
		if one, alone := of.one(); alone && filter.EventID == "" {
			return s.endpointDeliveries(ctx, txn, one, after, add)
		}
		return s.eachPlace(ctx, txn, deliveryPlaces, of, filter.EventID, after, func(place cursor.Place, _ *placeKind) (bool, error) {
			d, err := readDelivery(txn, place.Endpoint, place.Position)
			if err != nil {
				return true, s.skip("delivery", err)
			}
			return add(txn, place.Position, d)
		})
	})
	return rows.page, rows.next, err
}

// endpointDeliveries visits the deliveries of one endpoint, newest first.
func (s *Store) endpointDeliveries(
	ctx context.Context, txn *badgerdb.Txn, endpoint string, after *cursor.Place,
	visit func(txn *badgerdb.Txn, position uint64, d queue.Delivery) (bool, error),
) error {
	from := uint64(math.MaxUint64)
	if after != nil {
		from = after.Position - 1
	}
	prefix := endpointPrefix(nil, kindDelivery, endpoint)
	return s.eachKey(ctx, txn, prefix, deliveryKey(nil, endpoint, from), func(item *badgerdb.Item) (bool, error) {
		position, err := lastNumber(item.Key())
		if err != nil {
			return true, s.skip("delivery", err)
		}
		var d queue.Delivery
		err = item.Value(func(record []byte) error {
			var err error
			d, err = parseDelivery(endpoint, record)
			return err
		})
		if err != nil {
			return true, s.skip("delivery", err)
		}
		return visit(txn, position, d)
	})
}

// joinLane completes a pending delivery with what its lane knows.
func (s *Store) joinLane(txn *badgerdb.Txn, position uint64, d *queue.Delivery) error {
	if d.Status != queue.StatusPending {
		return nil
	}
	lane, err := readLane(txn, laneKey(nil, d.Endpoint, objectName(d.Key), position))
	if err != nil {
		return s.skip("lane", err)
	}
	d.Attempts, d.PriorAttempts, d.DueAt = int(lane.Attempts), int(lane.Prior), lane.DueAt
	d.ExtraAttempts, d.HastenedFrom = int(lane.Extra), lane.From
	return nil
}

// Attempts implements [queue.History]. An attempt that was the first of its
// delivery and decided it is in the delivery's record, all others are rows of
// their own, and both are merged.
func (s *Store) Attempts(ctx context.Context, filter queue.Filter, page queue.Page) ([]queue.Attempt, queue.Cursor, error) {
	rows, after, err := newRows[queue.Attempt](cursor.Attempts, page)
	if err != nil {
		return nil, "", err
	}
	err = s.view(ctx, func(txn *badgerdb.Txn) error {
		if filter.EventID != "" && filter.Endpoint != "" && after == nil {
			a, only, err := s.onlyAttempt(txn, filter)
			if only {
				rows.page = append(rows.page, a)
				return nil
			}
			if err := s.skip("delivery", err); err != nil {
				return err
			}
		}
		return s.eachPlace(ctx, txn, attemptPlaces, reachOf(filter), filter.EventID, after, func(place cursor.Place, kind *placeKind) (bool, error) {
			a, err := readAttempt(txn, place, kind)
			if err != nil {
				return true, s.skip("attempt", err)
			}
			return rows.add(place, a), nil
		})
	})
	return rows.page, rows.next, err
}

// Unresolved implements [queue.History].
func (s *Store) Unresolved(ctx context.Context, page queue.Page) ([]queue.Unresolved, queue.Cursor, error) {
	rows, after, err := newRows[queue.Unresolved](cursor.Unresolved, page)
	if err != nil {
		return nil, "", err
	}
	from := uint64(math.MaxUint64)
	if after != nil {
		from = after.Position - 1
	}
	err = s.view(ctx, func(txn *badgerdb.Txn) error {
		return s.eachKey(ctx, txn, []byte{kindUnresolved}, numberKey(nil, kindUnresolved, from), func(item *badgerdb.Item) (bool, error) {
			id, err := lastNumber(item.Key())
			if err != nil {
				return true, s.skip("unresolved intent", err)
			}
			var u queue.Unresolved
			err = item.Value(func(record []byte) error {
				var err error
				u, err = parseUnresolved(queue.IntentID(id), record)
				return err
			})
			if err != nil {
				return true, s.skip("unresolved intent", err)
			}
			return rows.add(cursor.Place{Position: id}, u), nil
		})
	})
	return rows.page, rows.next, err
}

// Pending implements [queue.History].
func (s *Store) Pending(ctx context.Context, limit int) ([]queue.PendingMark, error) {
	var pending []queue.PendingMark
	err := s.view(ctx, func(txn *badgerdb.Txn) error {
		for _, key := range s.marks.oldest(limit) {
			record, err := readMark(txn, key)
			if err != nil {
				if err := s.skip("mark", err); err != nil {
					return err
				}
				continue
			}
			_, info, _ := s.marks.due.Get(key.Resource, key.ID)
			pending = append(pending, queue.PendingMark{
				Key:        key,
				Generation: record.Generation,
				Tries:      record.Tries,
				MarkedAt:   record.MarkedAt,
				DueAt:      record.DueAt,
				Leased:     info.Leased,
				LastError:  record.LastError,
				Rule:       record.Cause.Rule,
				Outcome:    record.Cause.Outcome,
				SettleAt:   record.SettleAt,
			})
		}
		return nil
	})
	return pending, err
}

// Stats implements [queue.History]. It counts nothing itself.
func (s *Store) Stats(ctx context.Context) (queue.Stats, error) {
	countable, err := s.countable(ctx)
	if err != nil {
		return queue.Stats{}, err
	}
	if err := s.enter(ctx); err != nil {
		return queue.Stats{}, err
	}
	defer s.leave()
	var stats queue.Stats
	expired := s.now().Add(-time.Duration(s.retention.Load()))
	stats.OpenIntents, stats.Unresolved = s.intents.count(schedule.Nanos(expired))
	s.marks.stats(&stats)
	if countable {
		s.lanes.stats(&stats)
	}
	return stats, nil
}
