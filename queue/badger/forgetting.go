// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Limits of forgetting.
const (
	// forgetPart and forgetBytes limit how many objects are looked at in one
	// go, and about how much is read for that: some keep their Show.
	forgetPart  = 4096
	forgetBytes = 8 << 20
	// forgetKeys is how many objects one write forgets: so few that other
	// writes need not wait for it.
	forgetKeys = 64
)

// floors holds, by resource, the highest sequence of all forgotten objects. An
// object that comes back begins after it.
type floors struct {
	mu sync.Mutex
	of map[string]uint64
}

// raise raises a resource's floor, and returns it. A floor that is raised and
// not written, because the batch failed, only leaves out numbers.
func (f *floors) raise(resource string, to uint64) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.of == nil {
		f.of = make(map[string]uint64)
	}
	f.of[resource] = max(f.of[resource], to)
	return f.of[resource]
}

func (f *floors) get(resource string) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.of[resource]
}

// rebuildFloors reads the floors. The time stands in for one that cannot be
// read: no object has had as many events as seconds have passed since 1970.
func (s *Store) rebuildFloors(txn *badgerdb.Txn) error {
	return each(txn, kindFloor, func(item *badgerdb.Item) error {
		resource := string(item.Key()[1:])
		return s.heed("floor", item.Value(func(record []byte) error {
			floor, err := parseFloor(record)
			if errors.Is(err, errDamaged) {
				floor = uint64(max(0, s.now().Unix()))
			}
			s.floors.raise(resource, floor)
			return err
		}))
	})
}

// forgettable is an object that may be forgotten.
type forgettable struct {
	key      event.Key
	sequence uint64
	// version is the database's version of the snapshot: with another one, the
	// object has changed since.
	version uint64
	// parts are the keys of the object's Show parts.
	parts [][]byte
}

// Forget implements [queue.Forgets].
func (s *Store) Forget(ctx context.Context, before time.Time, after event.Key) (forgotten int, next event.Key, err error) {
	var found []forgettable
	err = s.view(ctx, func(txn *badgerdb.Txn) error {
		found, next, err = s.forgettable(ctx, txn, before, after)
		if err != nil || len(found) == 0 {
			return err
		}
		named, err := s.intents.names()
		kept := found[:0]
		for i := range found {
			if !named[found[i].key] {
				kept = append(kept, found[i])
			}
		}
		found = kept
		return err
	})
	if err != nil {
		return 0, event.Key{}, err
	}
	for len(found) > 0 {
		wr := &forget{rows: found[:min(len(found), forgetKeys)]}
		for i := range wr.rows {
			row := &wr.rows[i]
			wr.need(len(row.key.Resource) + len(row.key.ID))
			wr.need(len(row.key.Resource) + len(row.key.ID))
			wr.need(len(row.key.Resource), 16)
			for _, part := range row.parts {
				wr.need(len(part))
			}
		}
		if err := s.submit(ctx, wr); err != nil {
			return forgotten, event.Key{}, err
		}
		forgotten += wr.forgotten
		found = found[len(wr.rows):]
	}
	return forgotten, next, nil
}

// forgettable returns the objects that may be forgotten, among the next ones.
func (s *Store) forgettable(ctx context.Context, txn *badgerdb.Txn, before time.Time, after event.Key) (found []forgettable, last event.Key, err error) {
	from := []byte{kindSnapshot}
	if !after.IsZero() {
		from = next(objectKey(nil, kindSnapshot, after))
	}
	looked, size := 0, 0
	err = s.eachFrom(ctx, txn, []byte{kindSnapshot}, from, func(item *badgerdb.Item) (bool, error) {
		key, err := parseObject(item.Key()[1:])
		if err != nil {
			return true, nil //nolint:nilerr // who lists them counts it
		}
		looked++
		size += int(item.EstimatedSize())
		var stored snapshotRecord
		err = item.Value(func(record []byte) error {
			stored, err = parseSnapshot(key, record)
			return err
		})
		if err == nil && s.over(txn, &stored, before) {
			found = append(found, forgettable{
				key: key, sequence: stored.Sequence, version: item.Version(), parts: partsOf(txn, key),
			})
		} else if err != nil && !errors.Is(err, errDamaged) && !errors.Is(err, queue.ErrNewerFormat) {
			return false, err
		}
		if looked < forgetPart && size < forgetBytes {
			return true, nil
		}
		last = key
		return false, nil
	})
	return found, last, err
}

// over reports whether nothing has been heard of an object since a time, and it
// is gone, or another name of a forgotten object.
func (s *Store) over(txn *badgerdb.Txn, stored *snapshotRecord, before time.Time) bool {
	switch {
	case !stored.Time.Before(before) || !stored.ChangedAt.Before(before):
		return false
	case stored.Alias != "":
		_, err := txn.Get(objectKey(nil, kindSnapshot, event.Key{Resource: stored.Key.Resource, ID: stored.Alias}))
		return errors.Is(err, badgerdb.ErrKeyNotFound)
	default:
		return stored.Gone
	}
}

// partsOf returns the keys of all parts of an object's Shows, in both slots.
func partsOf(txn *badgerdb.Txn, key event.Key) (keys [][]byte) {
	prefix := showKey(nil, key, 0, 0)
	prefix = prefix[:len(prefix)-5]
	it := txn.NewIterator(badgerdb.IteratorOptions{Prefix: prefix})
	defer it.Close()
	for it.Seek(prefix); it.Valid() && len(keys) < 2*maxParts; it.Next() {
		keys = append(keys, it.Item().KeyCopy(nil))
	}
	return keys
}

// forget is the write of Forget.
type forget struct {
	waiter
	rows      []forgettable
	forgotten int
}

func (wr *forget) stage(b *batch) error {
	floors := make(map[string]uint64)
	for i := range wr.rows {
		row := &wr.rows[i]
		if _, touched := b.marked[row.key]; touched || b.s.marks.has(row.key) {
			continue
		}
		key := objectKey(nil, kindSnapshot, row.key)
		item, err := b.txn.Get(key)
		if errors.Is(err, badgerdb.ErrKeyNotFound) {
			continue
		}
		if err != nil {
			// The batch may have forgotten others already.
			b.failed = errors.Join(b.failed, fmt.Errorf("reading an object that is to be forgotten: %w", err))
			return nil
		}
		if item.Version() != row.version {
			continue
		}
		b.delete(key)
		b.delete(objectKey(nil, kindCallback, row.key))
		for _, part := range row.parts {
			b.delete(part)
		}
		floors[row.key.Resource] = b.s.floors.raise(row.key.Resource, row.sequence)
		wr.forgotten++
	}
	for resource, floor := range floors {
		b.set(append([]byte{kindFloor}, resource...), appendFloor(nil, floor))
	}
	return nil
}

func (wr *forget) committed(*Store) {}
func (wr *forget) aborted(*Store)   { wr.forgotten = 0 }
