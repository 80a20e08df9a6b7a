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

// putCallback is the operation of PutCallback.
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
