// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// versions are the last version that a record got, the epoch of
// [queue.KindEndpoint], and the store's format. They belong to the committer.
type versions struct {
	last, routing, format uint64
}

// changeRecords is the write of Change.
type changeRecords struct {
	waiter
	changes []queue.Record
	// rows are the records without their version, nil for one that is deleted.
	rows [][]byte

	moved   map[string]bool
	version uint64
}

// Change implements [queue.Records].
func (s *Store) Change(ctx context.Context, changes ...queue.Record) (version uint64, err error) {
	if err := queue.CheckChanges(changes); err != nil {
		return 0, err
	}
	wr := newChange(slices.Clone(changes))
	if err := s.submit(ctx, wr); err != nil {
		return 0, err
	}
	return wr.version, nil
}

func newChange(changes []queue.Record) *changeRecords {
	wr := &changeRecords{changes: changes, rows: make([][]byte, len(changes))}
	wr.durable = true
	for i := range wr.changes {
		change := &wr.changes[i]
		if change.Value != nil {
			const spare = 16 + binary.MaxVarintLen64
			wr.rows[i] = appendRecordFields(make([]byte, 0, len(change.Value)+len(change.Owner)+2*spare), change)
		}
		name := len(change.Kind) + len(change.ID) + 8
		wr.need(name, len(wr.rows[i]), binary.MaxVarintLen64)
		wr.need(name, len(change.Owner))
		wr.need(name, queue.MaxRecordOwner)
		wr.need(len(change.Kind), binary.MaxVarintLen64)
	}
	return wr
}

func (wr *changeRecords) stage(b *batch) error {
	now := b.s.now()
	wr.moved = make(map[string]bool)
	stored := make([]*queue.Record, len(wr.changes))
	for i := range wr.changes {
		change := &wr.changes[i]
		current, err := b.record(change.Kind, change.ID)
		if err != nil {
			return err
		}
		stored[i] = current
		if current != nil && current.Expired(now) {
			current = nil
		}
		if err := change.Meets(current); err != nil {
			return err
		}
		if current != nil || !change.Deletes(now) {
			wr.moved[change.Kind] = true
		}
	}
	if len(wr.moved) == 0 {
		return nil
	}
	b.versions.last++
	wr.version = b.versions.last
	for i := range wr.changes {
		wr.write(b, i, stored[i], now)
	}
	for _, kind := range slices.Sorted(maps.Keys(wr.moved)) {
		b.set(epochKey(nil, kind), appendEpoch(nil, wr.version))
	}
	if wr.moved[queue.KindEndpoint] {
		b.versions.routing = wr.version
		b.raiseFormat(endpointFormat)
	}
	return nil
}

// write writes one record in place of the stored one, which may be nil.
func (wr *changeRecords) write(b *batch, i int, stored *queue.Record, now time.Time) {
	change := &wr.changes[i]
	deletes := change.Deletes(now)
	if stored != nil && (deletes || stored.Owner != change.Owner) {
		b.delete(ownedKey(nil, stored.Kind, stored.Owner, stored.ID))
	}
	key := recordKey(nil, change.Kind, change.ID)
	if deletes {
		if stored != nil {
			b.delete(key)
		}
		return
	}
	expires := uint64(0)
	if !change.Expires.IsZero() {
		// Badger forgets at the beginning of that second.
		expires = uint64(max(1, change.Expires.Unix()+1))
	}
	b.setUntil(key, binary.AppendUvarint(wr.rows[i], wr.version), expires)
	b.setUntil(ownedKey(nil, change.Kind, change.Owner, change.ID), nil, expires)
}

// record returns a record as the transaction has it, be it expired or not, and nil
// for none. One that cannot be read has a version that nobody expects.
func (b *batch) record(kind, id string) (*queue.Record, error) {
	found, err := storedRecord(b.txn, kind, id)
	switch {
	case errors.Is(err, queue.ErrNotFound):
		return nil, nil
	case errors.Is(err, errDamaged):
		b.s.damaged("record", err)
		return &queue.Record{Kind: kind, ID: id, Version: queue.AnyVersion}, nil
	case err != nil:
		return nil, err
	}
	return &found, nil
}

// raiseFormat keeps versions of this module from opening the queue that would lose
// what the batch writes.
func (b *batch) raiseFormat(format uint64) {
	if b.versions.format >= format {
		return
	}
	b.versions.format = format
	key := append([]byte{kindMeta}, metaName...)
	b.set(key, appendMeta(nil, &metaRecord{Format: format, Instance: b.s.instance}))
}

func (wr *changeRecords) committed(s *Store) {
	s.versions = s.committer.batch.versions
	for kind := range wr.moved {
		s.epochs.Raise(kind, wr.version, queue.ChangedIDs(wr.changes, kind))
	}
}

func (wr *changeRecords) aborted(*Store) {}
