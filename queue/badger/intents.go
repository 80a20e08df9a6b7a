// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

// noteIntent is the operation of NoteIntent.
type noteIntent struct {
	waiter
	intent openIntent
}

// NoteIntent implements [queue.Intents].
func (s *Store) NoteIntent(ctx context.Context, intent queue.Intent) (queue.IntentID, error) {
	if len(intent.Callback) > queue.MaxCallback {
		return 0, queue.ErrTooLarge
	}
	op := &noteIntent{intent: openIntent{
		id:     queue.IntentID(s.lastIntent.Add(1)),
		fields: record.AppendIntent(make([]byte, 0, 160), &intent),
		// Not stored: the next process finds no other intents than such.
		abandoned: intent.Abandoned,
	}}
	if !intent.Deadline.IsZero() {
		op.intent.deadline = schedule.Nanos(intent.Deadline)
	}
	op.durable = true
	op.need(9, len(op.intent.fields), 12)
	return op.intent.id, s.submit(ctx, op)
}

func (op *noteIntent) stage(b *batch) error {
	b.note(&op.intent)
	return nil
}

func (op *noteIntent) committed(*Store) {}
func (op *noteIntent) aborted(*Store)   {}

// resolveIntent is the operation of ResolveIntent.
type resolveIntent struct {
	waiter
	id         queue.IntentID
	marks      markings
	unresolved string

	now  time.Time
	kept bool
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
	if intent := b.intent(op.id); intent != nil {
		if err := op.close(b, intent); err != nil {
			return err
		}
	}
	op.marks.stage(b, op.now)
	return nil
}

func (op *resolveIntent) close(b *batch, intent *openIntent) error {
	if op.unresolved != "" {
		kept := queue.Unresolved{Reason: op.unresolved, At: op.now}
		var err error
		if kept.Intent, err = intent.parse(); err != nil {
			return err
		}
		unresolved := b.key(func(k []byte) []byte { return numberKey(k, kindUnresolved, uint64(op.id)) })
		b.setUntil(unresolved, b.key(func(k []byte) []byte { return appendUnresolved(k, &kept) }), b.s.expiry())
		op.kept = true
	}
	b.closeIntent(intent)
	return nil
}

func (op *resolveIntent) committed(s *Store) {
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
	stale := s.intents.stale(schedule.Nanos(s.now()), limit)
	intents := make([]queue.Intent, len(stale))
	for i, one := range stale {
		var err error
		if intents[i], err = one.parse(); err != nil {
			return nil, err
		}
		intents[i].Abandoned = one.abandoned
	}
	return intents, nil
}
