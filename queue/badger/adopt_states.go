// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"fmt"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// adoptStates is the write that makes records of states of endpoints that an
// earlier version has kept, and deletes its rows.
type adoptStates struct {
	*changeRecords
	old [][]byte
}

func (wr adoptStates) stage(b *batch) error {
	if err := wr.changeRecords.stage(b); err != nil {
		return err
	}
	for _, key := range wr.old {
		b.delete(key)
	}
	return nil
}

// adoptStates makes records of the states that an earlier version has kept. If such
// a version had the queue open again meanwhile, what it kept is the later word.
func (s *Store) adoptStates() error {
	var changes []queue.Record
	var old [][]byte
	err := s.db.View(func(txn *badgerdb.Txn) error {
		return each(txn, kindEndpointState, func(item *badgerdb.Item) error {
			name := string(item.Key()[1:])
			return s.skip("endpoint state", item.Value(func(row []byte) error {
				state, err := parseEndpointState(name, row)
				if err != nil {
					return err
				}
				kept, err := state.Record(queue.AnyVersion)
				changes, old = append(changes, kept), append(old, item.KeyCopy(nil))
				return err
			}))
		})
	})
	for err == nil && len(changes) > 0 {
		n := min(len(changes), queue.MaxChanges)
		wr := adoptStates{changeRecords: newChange(changes[:n]), old: old[:n]}
		for _, key := range wr.old {
			wr.need(len(key))
		}
		err = s.submit(context.Background(), wr)
		changes, old = changes[n:], old[n:]
	}
	if err != nil {
		return fmt.Errorf("taking over the states of endpoints of an earlier version: %w", err)
	}
	return nil
}
