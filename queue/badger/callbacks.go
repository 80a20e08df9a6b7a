// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
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

// closeCallback closes an object's callback: no further event goes to it.
func (b *batch) closeCallback(key []byte) {
	callback, err := readCallback(b.txn, key)
	if err != nil {
		// There is none, or one that nobody can use.
		return
	}
	callback.Closed = true
	b.setUntil(bytes.Clone(key), appendCallback(nil, &callback), b.s.expiry())
}

// takesCallback is [queue.TakesCallback] for what the batch knows. Where a record
// cannot be read, the object takes none: somebody else may have the place.
func (b *batch) takesCallback(m *queue.Mark) bool {
	var has *queue.Callback
	switch callback, err := readCallback(b.txn, b.key(func(k []byte) []byte { return objectKey(k, kindCallback, m.Key) })); {
	case err == nil:
		has = &callback
	case !errors.Is(err, badgerdb.ErrKeyNotFound):
		return false
	}
	known, err := b.s.readSnapshot(b.txn, m.Key)
	return err == nil && queue.TakesCallback(m, known, has)
}
