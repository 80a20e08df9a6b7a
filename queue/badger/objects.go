// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"context"
	"errors"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Object implements [queue.Objects].
func (s *Store) Object(ctx context.Context, key event.Key) (event.Snapshot, error) {
	var found *event.Snapshot
	err := s.view(ctx, func(txn *badgerdb.Txn) error {
		var err error
		found, err = s.readSnapshot(txn, key)
		return err
	})
	if err != nil {
		return event.Snapshot{}, err
	}
	if found == nil {
		return event.Snapshot{}, queue.ErrNotFound
	}
	return *found, nil
}

// Objects implements [queue.Objects].
func (s *Store) Objects(ctx context.Context, resource string, after event.Key, limit int) ([]event.Snapshot, error) {
	var listed []event.Snapshot
	err := s.eachObject(ctx, objectsOf{kindSnapshot, "snapshot", resource}, after, limit, func(txn *badgerdb.Txn, key event.Key, item *badgerdb.Item) (bool, error) {
		stored, err := s.snapshotOf(txn, key, item)
		if errors.Is(err, errSnapshot) {
			s.damaged("snapshot", err)
			return false, nil
		}
		listed = append(listed, stored.Snapshot)
		return true, err
	})
	return listed, err
}

// Unseen implements [queue.Objects].
func (s *Store) Unseen(ctx context.Context, resource string, after event.Key, limit int) ([]event.Key, error) {
	var unseen []event.Key
	err := s.eachObject(ctx, objectsOf{kindMark, "mark", resource}, after, limit, func(txn *badgerdb.Txn, key event.Key, _ *badgerdb.Item) (bool, error) {
		if state, _, marked := s.marks.due.Get(key.Resource, key.ID); !marked || state.look() {
			return false, nil
		}
		there, err := s.there(txn, key)
		if err != nil || there {
			return false, err
		}
		unseen = append(unseen, key)
		return true, nil
	})
	return unseen, err
}

// there reports whether an object is known to be there. An object whose
// snapshot cannot be read is not.
func (s *Store) there(txn *badgerdb.Txn, key event.Key) (bool, error) {
	item, err := txn.Get(objectKey(nil, kindSnapshot, key))
	if errors.Is(err, badgerdb.ErrKeyNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	there := false
	err = item.Value(func(record []byte) error {
		stored, err := parseSnapshot(key, record)
		if err != nil {
			s.damaged("snapshot", err)
			return nil
		}
		there = !stored.Gone
		return nil
	})
	return there, err
}

// objectsOf are the rows of a kind that objects of a resource have.
type objectsOf struct {
	kind     byte
	name     string
	resource string
}

// eachObject visits rows in their order, beginning after an object, until limit
// rows have been taken.
func (s *Store) eachObject(ctx context.Context, of objectsOf, after event.Key, limit int,
	visit func(txn *badgerdb.Txn, key event.Key, item *badgerdb.Item) (taken bool, err error),
) error {
	prefix := objectKey(nil, of.kind, event.Key{Resource: of.resource})
	after.Resource = of.resource
	from := prefix
	if after.ID != "" {
		from = next(objectKey(nil, of.kind, after))
	}
	return s.view(ctx, func(txn *badgerdb.Txn) error {
		taken := 0
		return s.eachFrom(ctx, txn, prefix, from, func(item *badgerdb.Item) (bool, error) {
			if taken >= limit {
				return false, nil
			}
			key, err := parseObject(item.Key()[1:])
			if err != nil {
				return true, s.skip(of.name, err)
			}
			took, err := visit(txn, key, item)
			if took {
				taken++
			}
			return true, err
		})
	})
}

// Callback implements [queue.Objects].
func (s *Store) Callback(ctx context.Context, key event.Key) (queue.Callback, error) {
	var found *queue.Callback
	err := s.view(ctx, func(txn *badgerdb.Txn) error {
		var err error
		found, err = s.callbackOf(txn, key)
		return err
	})
	if err != nil {
		return queue.Callback{}, err
	}
	if found == nil {
		return queue.Callback{}, queue.ErrNotFound
	}
	return *found, nil
}

// putCallback is the write of PutCallback.
type putCallback struct {
	waiter
	key    []byte
	was    []byte
	sealed []byte
}

// PutCallback implements [queue.Objects].
func (s *Store) PutCallback(ctx context.Context, key event.Key, was, sealed []byte) error {
	if len(key.Resource)+len(key.ID) > maxKey || len(sealed) > queue.MaxCallback {
		return queue.ErrTooLarge
	}
	wr := &putCallback{key: objectKey(nil, kindCallback, key), was: was, sealed: sealed}
	wr.durable = true
	wr.need(len(wr.key), len(sealed), 16)
	return s.submit(ctx, wr)
}

func (wr *putCallback) stage(b *batch) error {
	item, err := b.txn.Get(wr.key)
	if errors.Is(err, badgerdb.ErrKeyNotFound) {
		return queue.ErrNotFound
	}
	if err != nil {
		return err
	}
	callback, err := readCallback(b.txn, wr.key)
	if err != nil {
		return err
	}
	if !bytes.Equal(callback.Sealed, wr.was) {
		return queue.ErrNotFound
	}
	callback.Sealed = wr.sealed
	b.setUntil(wr.key, appendCallback(nil, &callback), item.ExpiresAt())
	return nil
}

func (wr *putCallback) committed(*Store) {}

func (wr *putCallback) aborted(*Store) {}
