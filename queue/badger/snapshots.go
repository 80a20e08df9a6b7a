// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"
	"fmt"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/event"
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

// snapshotOf decodes a snapshot and reads its Show, if that is in parts.
func (s *Store) snapshotOf(txn *badgerdb.Txn, key event.Key, item *badgerdb.Item) (snapshotRecord, error) {
	record, err := item.ValueCopy(nil)
	if err != nil {
		return snapshotRecord{}, err
	}
	stored, err := parseSnapshot(key, record)
	if err != nil {
		// Not wrapped: a damaged mark may be passed over, a damaged snapshot
		// must not.
		return stored, fmt.Errorf("%w: %s", errSnapshot, err.Error())
	}
	show, err := readParts(txn, stored.Parts, func(part int) []byte { return showKey(nil, key, stored.Slot, part) })
	switch {
	case errors.Is(err, errDamaged):
		// The Show is lost, and with it the previous state in the next event.
		// The record has the rest.
		s.damaged("show", err)
	case err != nil:
		return stored, err
	case stored.Parts > 0:
		stored.Show = show
	}
	return stored, nil
}

// readParts returns a content that is stored in parts.
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
