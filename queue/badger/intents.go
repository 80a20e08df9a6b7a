// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"errors"
	"time"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

// noteIntent is the operation of NoteIntent.
type noteIntent struct {
	waiter
	record   []byte
	deadline time.Time
	id       queue.IntentID
}

// NoteIntent implements [queue.Intents].
func (s *Store) NoteIntent(ctx context.Context, intent queue.Intent) (queue.IntentID, error) {
	if len(intent.Callback) > maxCallback {
		return 0, queue.ErrTooLarge
	}
	op := &noteIntent{
		record:   appendIntent(make([]byte, 0, 160), &intent),
		deadline: intent.Deadline,
		id:       queue.IntentID(s.lastIntent.Add(1)),
	}
	op.durable = true
	op.need(9, len(op.record))
	return op.id, s.submit(ctx, op)
}

func (op *noteIntent) stage(b *batch) error {
	b.set(b.key(func(k []byte) []byte { return numberKey(k, kindIntent, uint64(op.id)) }), op.record)
	return nil
}

func (op *noteIntent) committed(s *Store) {
	s.intents.open(op.id, op.deadline)
}

func (op *noteIntent) aborted(*Store) {}

// resolveIntent is the operation of ResolveIntent.
type resolveIntent struct {
	waiter
	id         queue.IntentID
	marks      markings
	unresolved string

	now    time.Time
	closes bool
	kept   bool
}

// ResolveIntent implements [queue.Intents].
func (s *Store) ResolveIntent(ctx context.Context, id queue.IntentID, resolution queue.Resolution, durable bool) error {
	op := &resolveIntent{
		id: id,
		// Without durable, the caller has its slice back before it is read.
		marks:      newMarkings(resolution.Marks),
		unresolved: resolution.Unresolved,
		now:        s.now(),
	}
	op.need(9)
	if op.unresolved != "" {
		op.need(9, maxIntent, len(op.unresolved))
	}
	if err := op.marks.need(&op.waiter); err != nil {
		return err
	}
	if !durable {
		op.log = s.log
		return s.enqueue(ctx, op)
	}
	op.durable = true
	return s.submit(ctx, op)
}

func (op *resolveIntent) stage(b *batch) error {
	if _, closed := b.closed[op.id]; op.id != 0 && !closed && b.s.intents.has(op.id) {
		if err := op.close(b); err != nil {
			return err
		}
	}
	op.marks.stage(b, op.now)
	return nil
}

func (op *resolveIntent) close(b *batch) error {
	key := b.key(func(k []byte) []byte { return numberKey(k, kindIntent, uint64(op.id)) })
	if op.unresolved != "" {
		record, err := op.record(b, key)
		if err != nil {
			return err
		}
		unresolved := b.key(func(k []byte) []byte { return numberKey(k, kindUnresolved, uint64(op.id)) })
		b.setUntil(unresolved, record, b.s.expiry())
		op.kept = true
	}
	b.delete(key)
	b.closed[op.id] = struct{}{}
	op.closes = true
	return nil
}

// record returns the record that is kept of an intent without an object.
func (op *resolveIntent) record(b *batch, key []byte) ([]byte, error) {
	kept := queue.Unresolved{Intent: queue.Intent{ID: op.id}, Reason: op.unresolved, At: op.now}
	item, err := b.txn.Get(key)
	if err != nil {
		return nil, err
	}
	err = item.Value(func(record []byte) error {
		var err error
		kept.Intent, err = parseIntent(op.id, record)
		return err
	})
	if errors.Is(err, errDamaged) {
		b.s.damaged("intent", err)
	} else if err != nil {
		return nil, err
	}
	return appendUnresolved(nil, &kept), nil
}

func (op *resolveIntent) committed(s *Store) {
	if op.closes {
		s.intents.close(op.id)
	}
	if op.kept {
		s.intents.keep(schedule.Nanos(op.now))
	}
	op.marks.committed(s)
}

func (op *resolveIntent) aborted(*Store) {}

// StaleIntents implements [queue.Intents].
func (s *Store) StaleIntents(ctx context.Context, limit int) ([]queue.Intent, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	ids := s.intents.stale(schedule.Nanos(s.now()), limit)
	if len(ids) == 0 {
		return nil, nil
	}
	intents := make([]queue.Intent, 0, len(ids))
	err := s.db.View(func(txn *badgerdb.Txn) error {
		for _, id := range ids {
			intent, err := s.intent(txn, id)
			if errors.Is(err, badgerdb.ErrKeyNotFound) {
				// It was resolved just now.
				continue
			}
			if err != nil {
				return err
			}
			intent.Abandoned = id <= s.firstIntent
			intents = append(intents, intent)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return intents, nil
}

func (s *Store) intent(txn *badgerdb.Txn, id queue.IntentID) (queue.Intent, error) {
	item, err := txn.Get(numberKey(nil, kindIntent, uint64(id)))
	if err != nil {
		return queue.Intent{}, err
	}
	var intent queue.Intent
	err = item.Value(func(record []byte) error {
		var err error
		intent, err = parseIntent(id, record)
		return err
	})
	return intent, err
}
