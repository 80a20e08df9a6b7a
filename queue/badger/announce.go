// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// announce is the operation of Announce.
type announce struct {
	waiter
	event     event.Event
	endpoints []string
	now       time.Time
}

func (op *announce) routed() []queue.Routed {
	return []queue.Routed{{Event: op.event, Endpoints: op.endpoints}}
}

func (op *announce) stage(b *batch) error {
	key := objectKey(nil, kindSnapshot, op.event.Key)
	snapshot := snapshotRecord{Snapshot: event.Snapshot{Key: op.event.Key}}
	item, err := b.txn.Get(key)
	if err == nil {
		err = item.Value(func(record []byte) error {
			var err error
			snapshot, err = parseSnapshot(op.event.Key, bytes.Clone(record))
			return err
		})
	}
	if err != nil && !errors.Is(err, badgerdb.ErrKeyNotFound) {
		return fmt.Errorf("reading what was last announced of %s: %w", op.event.Key, err)
	}
	snapshot.Sequence++
	snapshot.Time = op.now
	op.event.Sequence = snapshot.Sequence
	op.event.ID = event.ID(b.s.instance.ID, op.event.Key, op.event.Sequence, op.event.Type, nil)
	encoded, err := encodeEvents(&waiter{}, op.routed(), op.now, nil)
	if err != nil {
		return err
	}
	b.set(key, appendSnapshot(nil, &snapshot))
	b.append(&encoded[0], op.now)
	return nil
}

func (op *announce) committed(*Store) {}
func (op *announce) aborted(*Store)   {}
