// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"errors"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

// dismissUnresolved is the write that forgets records.
type dismissUnresolved struct {
	waiter
	ids []queue.IntentID

	dismissed []int64
}

// DismissUnresolved implements [queue.Unresolveds].
func (s *Store) DismissUnresolved(ctx context.Context, id queue.IntentID) error {
	dismissed, err := s.dismiss(ctx, []queue.IntentID{id})
	if err == nil && dismissed == 0 {
		return queue.ErrNotFound
	}
	return err
}

// DismissUnresolvedBefore implements [queue.Unresolveds]. It forgets a page of
// records at a time.
func (s *Store) DismissUnresolvedBefore(ctx context.Context, resource string, t time.Time) (int, error) {
	total := 0
	page := queue.Page{Limit: queue.MaxLimit}
	for {
		listed, next, err := s.Unresolved(ctx, page)
		if err != nil {
			return total, err
		}
		var ids []queue.IntentID
		for i := range listed {
			if u := &listed[i]; (resource == "" || resource == u.Resource) && u.At.Before(t) {
				ids = append(ids, u.ID)
			}
		}
		dismissed, err := s.dismiss(ctx, ids)
		total += dismissed
		if err != nil || next == "" {
			return total, err
		}
		page.Cursor = next
	}
}

func (s *Store) dismiss(ctx context.Context, ids []queue.IntentID) (int, error) {
	wr := &dismissUnresolved{ids: ids}
	wr.durable = true
	for range ids {
		wr.need(9)
	}
	if err := s.submit(ctx, wr); err != nil {
		return 0, err
	}
	return len(wr.dismissed), nil
}

func (wr *dismissUnresolved) stage(b *batch) error {
	var keys [][]byte
	for _, id := range wr.ids {
		key := numberKey(nil, kindUnresolved, uint64(id))
		item, err := b.txn.Get(key)
		if errors.Is(err, badgerdb.ErrKeyNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		var at time.Time
		err = item.Value(func(record []byte) error {
			u, err := parseUnresolved(id, record)
			at = u.At
			return err
		})
		if err != nil && !errors.Is(err, errDamaged) {
			return err
		}
		wr.dismissed = append(wr.dismissed, schedule.Nanos(at))
		keys = append(keys, key)
	}
	for _, key := range keys {
		b.delete(key)
	}
	return nil
}

func (wr *dismissUnresolved) committed(s *Store) {
	for _, at := range wr.dismissed {
		s.intents.dismiss(at)
	}
}

func (wr *dismissUnresolved) aborted(*Store) {}
