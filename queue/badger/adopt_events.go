// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"context"
	"errors"
	"runtime/debug"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// An earlier version has kept nothing for feeds: neither rows by tenant nor spans. Its
// events are found all the same, by walking through the log as far as they go, until
// they have expired. When they expire has to be known first, and that takes reading all
// of them once, in the background. Until then feeds begin behind them.

// rebuildLog reads where the log of events begins and ends. Stored is the position of the
// last event that is stored.
func (s *Store) rebuildLog(txn *badgerdb.Txn, stored uint64) error {
	l := &s.events
	known, err := s.readLog(txn)
	if err != nil {
		return err
	}
	if known != nil {
		l.logState = *known
	}
	err = each(txn, kindSpan, func(item *badgerdb.Item) error {
		first, err := positionBehind(item.Key(), []byte{kindSpan})
		if err != nil {
			return s.heed("span", err)
		}
		found := span{first: first}
		err = item.Value(func(row []byte) error {
			found, err = parseSpan(first, row)
			return err
		})
		if errors.Is(err, errDamaged) {
			// Nobody knows when its events expire, so they may have.
			found = span{first: first}
		}
		l.spans = append(l.spans, found)
		return s.heed("span", err)
	})
	switch {
	case known != nil && stored <= l.last, known == nil && stored == 0 && len(l.spans) == 0:
	case known == nil && len(l.spans) == 0:
		l.last, l.unindexed, l.unread = stored, stored, true
	case known == nil:
		// The record is damaged, and nobody knows where the log has ended: behind its last
		// event, though the clock may have been set back to before that.
		end := max(s.lastPosition, stored+1)
		l.last, l.removed, l.unindexed = end, end, stored
	default:
		// An earlier version was at work since, and may have removed events.
		l.last, l.unindexed, l.removed, l.unread = stored, stored, stored, false
	}
	l.durable = l.last
	return err
}

func (s *Store) readLog(txn *badgerdb.Txn) (known *logState, err error) {
	item, err := txn.Get(eventLogKey)
	if errors.Is(err, badgerdb.ErrKeyNotFound) {
		return nil, nil
	}
	if err == nil {
		err = item.Value(func(row []byte) error {
			l, err := parseLog(row)
			known = &l
			return err
		})
	}
	if errors.Is(err, errDamaged) {
		known = nil
	}
	return known, s.heed("log of events", err)
}

// adoptEvents is the write that keeps the spans of the events of an earlier version.
type adoptEvents struct {
	waiter
	spans []span
}

func (wr *adoptEvents) stage(b *batch) error {
	b.log.unread = false
	for i := range wr.spans {
		b.set(spanKey(nil, wr.spans[i].first), appendSpan(nil, &wr.spans[i]))
	}
	b.log.spans = append(b.log.spans, wr.spans...)
	return nil
}

func (wr *adoptEvents) committed(*Store) {}
func (wr *adoptEvents) aborted(*Store)   {}

// adoptLog finds out, in the background, when the events of an earlier version expire.
func (s *Store) adoptLog() {
	s.adopted = make(chan struct{})
	if !s.events.unread {
		close(s.adopted)
		return
	}
	unindexed := s.events.unindexed
	go func() {
		defer close(s.adopted)
		debug.SetPanicOnFault(true)
		spans, err := s.spansOf(unindexed)
		if err == nil {
			wr := &adoptEvents{spans: spans}
			for range spans {
				wr.need(9, 24)
			}
			err = s.submit(context.Background(), wr)
		}
		if err != nil && !errors.Is(err, queue.ErrClosed) {
			s.damaged("log of events", err)
		}
	}()
}

// spansOf returns the spans of the events up to a position, of which there are none.
func (s *Store) spansOf(upTo uint64) (spans []span, err error) {
	last := uint64(0)
	err = s.view(context.Background(), func(txn *badgerdb.Txn) error {
		prefix := []byte{kindEvent}
		return s.eachFrom(context.Background(), txn, prefix, prefix, func(item *badgerdb.Item) (bool, error) {
			position, err := positionBehind(item.Key(), prefix)
			switch {
			case err != nil:
				return true, s.skip("event", err)
			case position > upTo:
				return false, nil
			}
			next := span{first: last + 1, expires: item.ExpiresAt()}
			err = item.Value(func(row []byte) error {
				record, err := parseEvent(bytes.Clone(row))
				next.made = uint64(max(0, record.CreatedAt.Unix()))
				return err
			})
			if err != nil {
				return true, s.skip("event", err)
			}
			if n := len(spans); n > 0 {
				next.made = inOrder(spans[n-1].made, next.made)
			}
			if n := len(spans); n == 0 || !spans[n-1].holds(&next) {
				spans = append(spans, next)
			}
			last = position
			return true, nil
		})
	})
	return spans, err
}

// inOrder returns the time of an event that follows one of another time. Events are
// committed some time after the time that they have, and not in its order.
func inOrder(before, made uint64) uint64 {
	if made < before && before-made < uint64(late/time.Second) {
		return before
	}
	return made
}
