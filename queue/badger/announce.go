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

// announce is the write of Announce.
type announce struct {
	waiter
	event     event.Event
	endpoints []string
	now       time.Time
}

func (wr *announce) routed() []queue.Routed {
	return []queue.Routed{{Event: wr.event, Endpoints: wr.endpoints}}
}

func (wr *announce) stage(b *batch) error {
	if wr.event.Op == event.OpTest {
		return wr.append(b)
	}
	key := objectKey(nil, kindSnapshot, wr.event.Key)
	snapshot := snapshotRecord{Snapshot: event.Snapshot{Key: wr.event.Key}}
	item, err := b.txn.Get(key)
	if err == nil {
		err = item.Value(func(record []byte) error {
			var err error
			snapshot, err = parseSnapshot(wr.event.Key, bytes.Clone(record))
			return err
		})
	}
	if err != nil && !errors.Is(err, badgerdb.ErrKeyNotFound) {
		return fmt.Errorf("reading what was last announced of %s: %w", wr.event.Key, err)
	}
	snapshot.Sequence++
	snapshot.Time = wr.now
	wr.event.Sequence = snapshot.Sequence
	wr.event.ID = event.ID(b.s.instance.ID, wr.event.Key, wr.event.Sequence, wr.event.Type, nil)
	b.set(key, appendSnapshot(nil, &snapshot))
	return wr.append(b)
}

// append adds the event to the log.
func (wr *announce) append(b *batch) error {
	encoded, err := encodeEvents(&waiter{}, wr.routed(), wr.now, nil)
	if err != nil {
		return err
	}
	b.append(&encoded[0], wr.now)
	return nil
}

func (wr *announce) committed(*Store) {}
func (wr *announce) aborted(*Store)   {}
