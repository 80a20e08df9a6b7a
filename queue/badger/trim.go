// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"errors"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Limits of trimming.
const (
	// trimPart is how many of the oldest events are looked at in one go.
	trimPart = 4096
	// trimKeys is how many keys one write deletes: so few that other writes
	// need not wait for it.
	trimKeys = 256
)

// Trim implements [queue.Trimmer]. The disk has the room when Badger has
// compacted the removed rows away, which it does when some 160 MiB have been
// written since.
func (s *Store) Trim(ctx context.Context) (removed int, more bool, err error) {
	var keys [][]byte
	horizon := uint64(0)
	err = s.view(ctx, func(txn *badgerdb.Txn) error {
		candidates, err := s.oldest(ctx, txn)
		if err != nil || len(candidates) == 0 {
			return err
		}
		if more = len(candidates) == trimPart; more {
			s.trimmed.Store(candidates[len(candidates)-1].position)
		} else {
			// All were looked at: the next round begins with the oldest again.
			s.trimmed.Store(0)
		}
		pending, err := s.pendingAmong(ctx, txn, candidates)
		if err != nil {
			return err
		}
		for i := range candidates {
			if one := &candidates[i]; !pending[one.position] {
				removed++
				horizon = one.position
				keys = one.keys(txn, keys, sharedBy(candidates[i+1:], one, pending))
			}
		}
		keys, err = s.filteredAmong(ctx, txn, keys, candidates, pending)
		return err
	})
	if err == nil && horizon > 0 {
		// Readers must hear that they have missed something before they can.
		err = s.submit(ctx, &raiseHorizon{to: horizon})
	}
	if err != nil {
		return 0, false, err
	}
	for len(keys) > 0 {
		n := min(len(keys), trimKeys)
		wr := &deleteKeys{list: keys[:n]}
		for _, key := range wr.list {
			wr.need(len(key))
		}
		if err := s.submit(ctx, wr); err != nil {
			return removed, false, err
		}
		keys = keys[n:]
	}
	return removed, more, nil
}

// candidate is an event that may be trimmed.
type candidate struct {
	position uint64
	record   eventRecord
}

// oldest returns the oldest events that were not looked at yet. It goes on
// where it was, as deleted keys slow down a scan that begins before them.
func (s *Store) oldest(ctx context.Context, txn *badgerdb.Txn) (candidates []candidate, err error) {
	it := txn.NewIterator(badgerdb.IteratorOptions{Prefix: []byte{kindEvent}})
	defer it.Close()
	for it.Seek(numberKey(nil, kindEvent, s.trimmed.Load()+1)); it.Valid() && len(candidates) < trimPart; it.Next() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if s.isClosing() {
			return nil, queue.ErrClosed
		}
		position, err := lastNumber(it.Item().Key())
		if err != nil {
			continue
		}
		one := candidate{position: position}
		err = it.Item().Value(func(value []byte) error {
			var err error
			one.record, err = parseEvent(value)
			// The contents are not needed, and may have many megabytes.
			one.record.Payload, one.record.PreviousShow, one.record.Previous = nil, nil, nil
			return err
		})
		if err != nil && !errors.Is(err, errDamaged) {
			return nil, err
		}
		if err == nil {
			candidates = append(candidates, one)
		}
	}
	return candidates, nil
}

// pendingAmong returns which of some events have pending deliveries. Lanes are
// not in the order of events, so it reads all their keys.
func (s *Store) pendingAmong(ctx context.Context, txn *badgerdb.Txn, candidates []candidate) (map[uint64]bool, error) {
	first, last := candidates[0].position, candidates[len(candidates)-1].position
	pending := make(map[uint64]bool)
	err := each(txn, kindLane, func(item *badgerdb.Item) error {
		if s.isClosing() {
			return queue.ErrClosed
		}
		position, err := lastNumber(item.Key())
		if err == nil && position >= first && position <= last {
			pending[position] = true
		}
		return ctx.Err()
	})
	return pending, err
}

// filteredAmong appends the keys that say which filters have left out the events that are
// removed. The events do not tell.
func (s *Store) filteredAmong(
	ctx context.Context, txn *badgerdb.Txn, keys [][]byte, candidates []candidate, pending map[uint64]bool,
) ([][]byte, error) {
	endpoints, err := s.endpointsOf(ctx, txn, kindFiltered)
	if err != nil {
		return keys, err
	}
	it := txn.NewIterator(badgerdb.IteratorOptions{Prefix: []byte{kindFiltered}})
	defer it.Close()
	last := candidates[len(candidates)-1].position
	for _, endpoint := range endpoints {
		if err := ctx.Err(); err != nil {
			return keys, err
		}
		prefix := endpointPrefix(nil, kindFiltered, endpoint)
		for it.Seek(placed(prefix, candidates[0].position)); it.ValidForPrefix(prefix); it.Next() {
			position, err := positionBehind(it.Item().Key(), prefix)
			if err != nil {
				continue
			}
			if position > last {
				break
			}
			if !pending[position] {
				keys = append(keys, it.Item().KeyCopy(nil))
			}
		}
	}
	return keys, nil
}

// sharedBy reports whether a later event that stays shares the payload of this
// one, which then stays, too.
func sharedBy(later []candidate, one *candidate, pending map[uint64]bool) bool {
	if one.record.Parts == 0 || one.record.Back > 0 {
		return one.record.Parts > 0
	}
	for i := range later {
		record := &later[i].record
		if record.Parts == 0 || record.Back == 0 || later[i].position-record.Back != one.position {
			break
		}
		if pending[later[i].position] {
			return true
		}
	}
	return false
}

// keys appends the keys of an event, its payload, its deliveries and their
// attempts.
func (c *candidate) keys(txn *badgerdb.Txn, keys [][]byte, shared bool) [][]byte {
	keys = append(keys, numberKey(nil, kindEvent, c.position), eventIDKey(nil, c.record.ID))
	if c.record.Tenant != "" && c.record.InFeedOf(c.record.Tenant) {
		keys = append(keys, tenantKey(nil, indexedTenant(c.record.Tenant), c.position))
	}
	for part := range c.record.Parts {
		if shared {
			break
		}
		keys = append(keys, partKey(nil, kindPart, c.position, part))
	}
	for part := range c.record.PreviousParts {
		keys = append(keys, partKey(nil, kindPrevious, c.record.PreviousAt, part))
	}
	for _, endpoint := range c.record.Endpoints {
		keys = append(keys, deliveryKey(nil, endpoint, c.position))
		prefix := attemptPrefix(nil, endpoint, c.position)
		it := txn.NewIterator(badgerdb.IteratorOptions{Prefix: prefix})
		for it.Seek(prefix); it.Valid(); it.Next() {
			keys = append(keys, it.Item().KeyCopy(nil))
		}
		it.Close()
	}
	return keys
}

// deleteKeys is the write of Trim.
type deleteKeys struct {
	waiter
	list [][]byte
}

func (wr *deleteKeys) stage(b *batch) error {
	for _, key := range wr.list {
		b.delete(key)
	}
	return nil
}

func (wr *deleteKeys) committed(*Store) {}
func (wr *deleteKeys) aborted(*Store)   {}
