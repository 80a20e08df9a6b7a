// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/cursor"
)

// ReadFeed implements [queue.Feed].
func (s *Store) ReadFeed(ctx context.Context, of queue.Scope, after queue.Position, limit int) (queue.FeedPage, error) {
	if err := s.enter(ctx); err != nil {
		return queue.FeedPage{}, err
	}
	number, latest, err := s.placeOf(after)
	s.leave()
	if err != nil {
		return queue.FeedPage{}, err
	}
	if number >= latest {
		// Most who ask have read all.
		return queue.FeedPage{Next: queue.NewPosition(s.instance, number)}, nil
	}
	limit = cursor.Limit(queue.Page{Limit: limit})
	var page queue.FeedPage
	size, looked := 0, uint64(0)
	err = s.view(ctx, func(txn *badgerdb.Txn) error {
		walk := feedWalk{s: s, ctx: ctx, txn: txn, after: number, upTo: latest}
		looked, err = walk.of(of, func(row *fed) (bool, error) {
			entry, err := s.feedEntry(txn, row)
			if err != nil {
				return true, s.skip("event", err)
			}
			page.Entries = append(page.Entries, entry)
			size += len(entry.Event.Payload) + len(entry.Event.PreviousShow)
			return len(page.Entries) < limit && size < queue.MaxFeedPage, nil
		})
		return err
	})
	if err != nil {
		return queue.FeedPage{}, err
	}
	// What was removed meanwhile may be missing on the page.
	if oldest, _ := s.readable(); number < oldest {
		return queue.FeedPage{}, s.expired(oldest)
	}
	page.Next, page.More = queue.NewPosition(s.instance, looked), looked < latest
	return page, nil
}

// feedEntry reads the event of a row. Its retention does not count: the horizon alone
// says what readers may miss.
func (s *Store) feedEntry(txn *badgerdb.Txn, row *fed) (queue.FeedEntry, error) {
	item, err := txn.Get(numberKey(nil, kindEvent, row.position))
	if err != nil {
		return queue.FeedEntry{}, err
	}
	value, err := item.ValueCopy(nil)
	if err != nil {
		return queue.FeedEntry{}, err
	}
	record, err := parseEvent(value)
	if err != nil {
		return queue.FeedEntry{}, err
	}
	if err := s.readShows(&lazyRead{txn: txn}, &record, row.position); err != nil {
		return queue.FeedEntry{}, err
	}
	entry := queue.FeedEntry{
		Position: queue.NewPosition(s.instance, row.position), Event: record.Event,
		Status: row.status, Filtered: row.filtered, Format: row.format,
	}
	if row.endpoint != "" && !row.filtered {
		entry.Format = record.format(row.endpoint)
	}
	return entry, nil
}

// AwaitFeed implements [queue.Feed]. Nobody waits with the gate held: Close would wait
// for that.
func (s *Store) AwaitFeed(ctx context.Context, of queue.Scope, after queue.Position) error {
	return s.sleepers.Await(ctx, of, func() (bool, error) { return s.hasMore(ctx, of, after) })
}

// hasMore reports whether a feed has an event behind a position.
func (s *Store) hasMore(ctx context.Context, of queue.Scope, after queue.Position) (found bool, err error) {
	if err := s.enter(ctx); err != nil {
		return false, err
	}
	number, latest, err := s.placeOf(after)
	s.leave()
	for err == nil && !found && number < latest {
		err = s.view(ctx, func(txn *badgerdb.Txn) error {
			walk := feedWalk{s: s, ctx: ctx, txn: txn, after: number, upTo: latest}
			number, err = walk.of(of, func(row *fed) (bool, error) {
				// Its row may outlive the event.
				if _, err := txn.Get(numberKey(nil, kindEvent, row.position)); err != nil {
					return true, s.skip("event", err)
				}
				found = true
				return false, nil
			})
			return err
		})
	}
	return found, err
}

// wake wakes those who wait for some events.
func (s *Store) wake(events []*routedEvent) {
	if len(events) == 0 || !s.sleepers.Any() {
		return
	}
	var scopes []queue.Scope
	for _, e := range events {
		scopes = e.scopes(scopes)
	}
	s.sleepers.Wake(scopes)
}

// FeedEnds implements [queue.Feed].
func (s *Store) FeedEnds(ctx context.Context) (oldest, latest queue.Position, err error) {
	if err := s.enter(ctx); err != nil {
		return oldest, latest, err
	}
	defer s.leave()
	first, last := s.readable()
	return queue.NewPosition(s.instance, first), queue.NewPosition(s.instance, max(first, last)), nil
}

// late is about how long after the time in an event it is committed at most.
const late = time.Minute

// FeedSince implements [queue.Feed]. A span tells about where the event is, and the events
// themselves exactly, as far as they are in the order of their times.
func (s *Store) FeedSince(ctx context.Context, t time.Time) (queue.Position, error) {
	var found uint64
	err := s.view(ctx, func(txn *badgerdb.Txn) error {
		t := t.Add(-late)
		after, upTo := s.events.since(t)
		it := txn.NewIterator(badgerdb.IteratorOptions{Prefix: []byte{kindEvent}})
		defer it.Close()
		for after < upTo {
			middle := after + (upTo-after)/2
			position, made, err := timeBehind(it, middle)
			if err != nil {
				return err
			}
			if position == 0 || position > upTo || !made.Before(t) {
				upTo = middle
			} else {
				after = position
			}
		}
		found = after
		return nil
	})
	if err != nil {
		return queue.Position{}, err
	}
	oldest, latest := s.readable()
	return queue.NewPosition(s.instance, max(oldest, min(found, latest))), nil
}

// timeBehind returns the first readable event behind a position and when it was
// committed; 0 if there is none.
func timeBehind(it *badgerdb.Iterator, after uint64) (position uint64, made time.Time, err error) {
	for it.Seek(numberKey(nil, kindEvent, after+1)); it.Valid(); it.Next() {
		if position, err = lastNumber(it.Item().Key()); err != nil {
			continue
		}
		err = it.Item().Value(func(value []byte) error {
			record, err := parseEvent(value)
			made = record.CreatedAt
			return err
		})
		if ignoreGone(err) != nil {
			return 0, made, err
		}
		if err == nil {
			return position, made, nil
		}
	}
	return 0, made, nil
}
