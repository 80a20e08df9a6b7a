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

// showStager writes large Shows ahead of the records that refer to them: a
// payload, the Show before it and the snapshot's own may have 4 MiB each, and
// one transaction does not hold all three. A crash before the records leaves
// parts that nothing refers to. Those of previous Shows expire. Those of a
// snapshot are overwritten by its next Show: each object has two slots, and
// fills the one that its snapshot does not use.
type showStager struct {
	s       *Store
	fence   uint64
	expires uint64
	parts   []stagedPart
}

type stagedPart struct {
	key     []byte
	value   []byte
	expires uint64
}

// add cuts a Show into parts and returns how many there are.
func (st *showStager) add(show []byte, expire bool, key func(part int) []byte) int {
	parts := 0
	var expires uint64
	if expire {
		expires = st.expires
	}
	for rest := show; len(rest) > 0; parts++ {
		n := min(len(rest), partSize)
		st.parts = append(st.parts, stagedPart{key: key(parts), value: bytes.Clone(rest[:n]), expires: expires})
		rest = rest[n:]
	}
	return parts
}

// previous moves the previous Show of the newest of a commit's events into
// parts, if it is large. The events of one commit mostly share it.
func (st *showStager) previous(events []eventRecord) {
	newest := &events[len(events)-1]
	if len(newest.PreviousShow) <= partSize {
		return
	}
	for i := range len(events) - 1 {
		if earlier := &events[i]; earlier.PreviousParts > 0 && bytes.Equal(earlier.PreviousShow, newest.PreviousShow) {
			newest.PreviousParts, newest.PreviousAt = earlier.PreviousParts, earlier.PreviousAt
			return
		}
	}
	number := st.s.lastIntent.Add(1)
	newest.PreviousAt = number
	newest.PreviousParts = st.add(newest.PreviousShow, true, func(part int) []byte { return partKey(nil, kindPrevious, number, part) })
}

// submit writes the parts, durably, a few at a time, unless the write that
// refers to them is too large anyway.
func (st *showStager) submit(ctx context.Context, wr write) error {
	if w := wr.wait(); w.bytes > maxBytes || w.entries > maxEntries {
		return queue.ErrTooLarge
	}
	const some = 4
	for rest := st.parts; len(rest) > 0; {
		n := min(some, len(rest))
		wr := &stageShow{fence: st.fence, parts: rest[:n]}
		wr.durable = true
		for i := range wr.parts {
			wr.need(len(wr.parts[i].key), len(wr.parts[i].value))
		}
		if err := st.s.submit(ctx, wr); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// stageShow is the write that writes some parts.
type stageShow struct {
	waiter
	fence uint64
	parts []stagedPart
}

func (wr *stageShow) stage(b *batch) error {
	// A caller without the lease must not write into a slot that another fills.
	if !b.s.marks.due.Holds(wr.fence) {
		return queue.ErrLeaseLost
	}
	for i := range wr.parts {
		b.setUntil(wr.parts[i].key, wr.parts[i].value, wr.parts[i].expires)
	}
	return nil
}

func (wr *stageShow) committed(*Store) {}
func (wr *stageShow) aborted(*Store)   {}

// storedSnapshot returns an object's snapshot without its Show, and where that
// stands. It returns the zero record if no snapshot can be read.
func (s *Store) storedSnapshot(ctx context.Context, key event.Key) (snapshotRecord, error) {
	var stored snapshotRecord
	err := s.view(ctx, func(txn *badgerdb.Txn) error {
		item, err := txn.Get(objectKey(nil, kindSnapshot, key))
		if err != nil {
			return err
		}
		return item.Value(func(record []byte) error {
			var err error
			stored, err = parseSnapshot(key, bytes.Clone(record))
			return err
		})
	})
	if errors.Is(err, badgerdb.ErrKeyNotFound) || errors.Is(err, errDamaged) {
		return snapshotRecord{}, nil
	}
	return stored, err
}
