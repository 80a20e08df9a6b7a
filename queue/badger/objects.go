// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// readSnapshot returns what was last known of an object, nil if nothing is.
func (s *Store) readSnapshot(txn *badgerdb.Txn, key event.Key) (*event.Snapshot, error) {
	item, err := txn.Get(objectKey(nil, kindSnapshot, key))
	if errors.Is(err, badgerdb.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	stored, err := s.snapshotOf(txn, key, item)
	if err != nil {
		return nil, err
	}
	return &stored.Snapshot, nil
}

// snapshotOf decodes a snapshot and reads its Show, if that stands elsewhere.
func (s *Store) snapshotOf(txn *badgerdb.Txn, key event.Key, item *badgerdb.Item) (snapshotRecord, error) {
	record, err := item.ValueCopy(nil)
	if err != nil {
		return snapshotRecord{}, err
	}
	stored, err := parseSnapshot(key, record)
	if err != nil {
		// Not wrapped: a damaged mark is passed over, a damaged snapshot must
		// not be.
		return stored, fmt.Errorf("%w: %s", errSnapshot, err.Error())
	}
	show, err := readParts(txn, stored.Parts, func(part int) []byte { return showKey(nil, key, stored.Slot, part) })
	switch {
	case errors.Is(err, errDamaged):
		// The Show is lost, and with it what the next event could tell of the
		// state before. What counts is in the record.
		s.damaged("show", err)
	case err != nil:
		return stored, err
	case stored.Parts > 0:
		stored.Show = show
	}
	return stored, nil
}

// readParts returns what was stored in parts.
func readParts(txn *badgerdb.Txn, parts int, key func(part int) []byte) ([]byte, error) {
	var whole []byte
	for part := range parts {
		item, err := txn.Get(key(part))
		if errors.Is(err, badgerdb.ErrKeyNotFound) {
			return nil, errDamaged
		}
		if err != nil {
			return nil, err
		}
		err = item.Value(func(value []byte) error {
			whole = append(whole, value...)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return whole, nil
}

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
	prefix := objectKey(nil, kindSnapshot, event.Key{Resource: resource})
	from := prefix
	if !after.IsZero() {
		from = next(objectKey(nil, kindSnapshot, event.Key{Resource: resource, ID: after.ID}))
	}
	var listed []event.Snapshot
	err := s.view(ctx, func(txn *badgerdb.Txn) error {
		return s.eachFrom(ctx, txn, prefix, from, func(item *badgerdb.Item) (bool, error) {
			if len(listed) >= limit {
				return false, nil
			}
			key, err := parseObject(item.Key()[1:])
			if err != nil {
				return true, s.skip("snapshot", err)
			}
			stored, err := s.snapshotOf(txn, key, item)
			if errors.Is(err, errSnapshot) {
				s.damaged("snapshot", err)
				return true, nil
			}
			listed = append(listed, stored.Snapshot)
			return true, err
		})
	})
	return listed, err
}

// Unseen implements [queue.Objects].
func (s *Store) Unseen(ctx context.Context, resource string, after event.Key, limit int) ([]event.Key, error) {
	prefix := objectKey(nil, kindMark, event.Key{Resource: resource})
	from := prefix
	if !after.IsZero() {
		from = next(objectKey(nil, kindMark, event.Key{Resource: resource, ID: after.ID}))
	}
	var unseen []event.Key
	err := s.view(ctx, func(txn *badgerdb.Txn) error {
		return s.eachFrom(ctx, txn, prefix, from, func(item *badgerdb.Item) (bool, error) {
			if len(unseen) >= limit {
				return false, nil
			}
			key, err := parseObject(item.Key()[1:])
			if err != nil {
				return true, s.skip("mark", err)
			}
			if state, _, marked := s.marks.due.Get(key.Resource, key.ID); !marked || state.look() {
				return true, nil
			}
			known, err := s.readSnapshot(txn, key)
			if errors.Is(err, errSnapshot) {
				s.damaged("snapshot", err)
				known, err = nil, nil
			}
			if err == nil && (known == nil || known.Gone) {
				unseen = append(unseen, key)
			}
			return true, err
		})
	})
	return unseen, err
}

// callbackOf returns an object's callback, nil if it has none.
func (s *Store) callbackOf(txn *badgerdb.Txn, key event.Key) (*queue.Callback, error) {
	if !s.callbacks.Load() {
		return nil, nil
	}
	callback, err := readCallback(txn, objectKey(nil, kindCallback, key))
	switch {
	case err == nil:
		return &callback, nil
	case errors.Is(err, errDamaged):
		s.damaged("callback", err)
		return nil, nil
	case errors.Is(err, badgerdb.ErrKeyNotFound):
		return nil, nil
	default:
		return nil, err
	}
}

func readCallback(txn *badgerdb.Txn, key []byte) (queue.Callback, error) {
	item, err := txn.Get(key)
	if err != nil {
		return queue.Callback{}, err
	}
	var callback queue.Callback
	err = item.Value(func(record []byte) error {
		var err error
		callback, err = parseCallback(record)
		return err
	})
	return callback, err
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

// Callbacks implements [queue.Objects].
func (s *Store) Callbacks(ctx context.Context, after event.Key, limit int) ([]event.Key, error) {
	prefix := []byte{kindCallback}
	from := prefix
	if !after.IsZero() {
		from = next(objectKey(nil, kindCallback, after))
	}
	var listed []event.Key
	err := s.view(ctx, func(txn *badgerdb.Txn) error {
		return s.eachFrom(ctx, txn, prefix, from, func(item *badgerdb.Item) (bool, error) {
			if len(listed) >= limit {
				return false, nil
			}
			key, err := parseObject(item.Key()[1:])
			if err != nil {
				return true, s.skip("callback", err)
			}
			listed = append(listed, key)
			return true, nil
		})
	})
	return listed, err
}

// putCallback is the operation of PutCallback.
type putCallback struct {
	waiter
	key    []byte
	was    []byte
	sealed []byte
}

// PutCallback implements [queue.Objects].
func (s *Store) PutCallback(ctx context.Context, key event.Key, was, sealed []byte) error {
	if len(key.Resource)+len(key.ID) > maxKey || len(sealed) > maxCallback {
		return queue.ErrTooLarge
	}
	op := &putCallback{key: objectKey(nil, kindCallback, key), was: was, sealed: sealed}
	op.durable = true
	op.need(len(op.key), len(sealed), 16)
	return s.submit(ctx, op)
}

func (op *putCallback) stage(b *batch) error {
	item, err := b.txn.Get(op.key)
	if errors.Is(err, badgerdb.ErrKeyNotFound) {
		return queue.ErrNotFound
	}
	if err != nil {
		return err
	}
	callback, err := readCallback(b.txn, op.key)
	if err != nil {
		return err
	}
	if !bytes.Equal(callback.Sealed, op.was) {
		return queue.ErrNotFound
	}
	callback.Sealed = op.sealed
	b.setUntil(op.key, appendCallback(nil, &callback), item.ExpiresAt())
	return nil
}

func (op *putCallback) committed(*Store) {}
func (op *putCallback) aborted(*Store)   {}
