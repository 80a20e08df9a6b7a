// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"errors"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/mark"
)

// Sighted implements [queue.Introductions].
func (s *Store) Sighted(ctx context.Context, key event.Key) (queue.Sighting, error) {
	var sighting queue.Sighting
	err := s.view(ctx, func(txn *badgerdb.Txn) error {
		known, err := s.readSnapshot(txn, key)
		if err != nil {
			return err
		}
		if known == nil {
			return queue.ErrNotFound
		}
		sighting.Snapshot = *known
		record, err := readMark(txn, key)
		switch {
		case errors.Is(err, badgerdb.ErrKeyNotFound):
			return nil
		case errors.Is(err, errDamaged):
			// The committer takes it for a new one, too.
			record, err = mark.New(queue.Mark{Key: key}, s.now()), nil
		}
		sighting.Generation = record.Generation
		return err
	})
	return sighting, err
}

// Unread implements [queue.Introductions].
func (s *Store) Unread(ctx context.Context, resource string, after event.Key, limit int) ([]event.Key, error) {
	var unread []event.Key
	err := s.eachObject(ctx, objectsOf{kindMark, "mark", resource}, after, limit, func(txn *badgerdb.Txn, key event.Key, _ *badgerdb.Item) (bool, error) {
		if state, _, marked := s.marks.due.Get(key.Resource, key.ID); !marked || !state.look() {
			return false, nil
		}
		_, err := txn.Get(objectKey(nil, kindSnapshot, key))
		if !errors.Is(err, badgerdb.ErrKeyNotFound) {
			return false, err
		}
		unread = append(unread, key)
		return true, nil
	})
	return unread, err
}

// introduce is the write of Introduce.
type introduce struct {
	waiter
	introduction queue.Introduction
	events       []routedEvent
	progress     *changeRecords
	now          time.Time
}

// Introduce implements [queue.Introductions].
func (s *Store) Introduce(ctx context.Context, introduction queue.Introduction) (version uint64, err error) {
	if err := introduction.Check(); err != nil {
		return 0, err
	}
	wr := &introduce{introduction: introduction, progress: newChange([]queue.Record{introduction.Progress}), now: s.now()}
	wr.durable = true
	wr.bytes, wr.entries = wr.progress.bytes, wr.progress.entries
	routed := queue.Routed{
		Event: introduction.Event, Endpoints: []string{introduction.Endpoint},
		Formats: map[string]string{introduction.Endpoint: introduction.Format},
	}
	if wr.events, err = encodeEvents(&wr.waiter, []queue.Routed{routed}, wr.now, nil); err != nil {
		return 0, err
	}
	if err := s.submit(ctx, wr); err != nil {
		return 0, err
	}
	return wr.progress.version, nil
}

func (wr *introduce) stage(b *batch) error {
	if wr.introduction.Epoch != b.versions.routing {
		return queue.ErrStale
	}
	key := wr.introduction.Event.Key
	known, err := b.known(key)
	if err != nil {
		return err
	}
	generation := uint64(0)
	if marked := b.mark(key); marked.exists {
		generation = marked.record.Generation
	}
	if err := wr.introduction.Meets(known, generation); err != nil {
		return err
	}
	if err := wr.progress.stage(b); err != nil {
		return err
	}
	b.append(&wr.events[0], wr.now)
	return nil
}

// known returns what is known of an object as the transaction has it, without a Show
// that stands in parts; nil for nothing.
func (b *batch) known(key event.Key) (*event.Snapshot, error) {
	item, err := b.txn.Get(objectKey(nil, kindSnapshot, key))
	if errors.Is(err, badgerdb.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	value, err := item.ValueCopy(nil)
	if err != nil {
		return nil, err
	}
	stored, err := parseSnapshot(key, value)
	return &stored.Snapshot, err
}

func (wr *introduce) committed(s *Store) { wr.progress.committed(s) }
func (wr *introduce) aborted(*Store)     {}
