// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"context"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

// noteIntent is the write of NoteIntent.
type noteIntent struct {
	waiter
	intent openIntent
}

// NoteIntent implements [queue.Intents].
func (s *Store) NoteIntent(ctx context.Context, intent queue.Intent) (queue.IntentID, error) {
	if len(intent.Callback) > queue.MaxCallback {
		return 0, queue.ErrTooLarge
	}
	wr := &noteIntent{intent: openIntent{
		id:     queue.IntentID(s.lastIntent.Add(1)),
		fields: record.AppendIntent(make([]byte, 0, 160), &intent),
		// Not stored: the next process takes all open intents for abandoned.
		abandoned: intent.Abandoned,
	}}
	if !intent.Deadline.IsZero() {
		wr.intent.deadline = schedule.Nanos(intent.Deadline)
	}
	wr.durable = true
	wr.need(9, len(wr.intent.fields), 12)
	return wr.intent.id, s.submit(ctx, wr)
}

func (wr *noteIntent) stage(b *batch) error {
	b.note(&wr.intent)
	return nil
}

func (wr *noteIntent) committed(*Store) {}
func (wr *noteIntent) aborted(*Store)   {}

// resolveIntent is the write of ResolveIntent.
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
	wr := &resolveIntent{
		id: id,
		// The caller may change its slice once this returns, which without
		// durable is before the write is staged.
		marks:      newMarkings(resolution.Marks),
		unresolved: resolution.Unresolved,
		now:        s.now(),
	}
	wr.need(9)
	if wr.unresolved != "" {
		wr.need(9, maxIntent, len(wr.unresolved))
	}
	if err := wr.marks.need(&wr.waiter); err != nil {
		return err
	}
	if !durable {
		wr.log = s.log
		return s.handOver(ctx, wr)
	}
	wr.durable = true
	return s.submit(ctx, wr)
}

func (wr *resolveIntent) stage(b *batch) error {
	if intent := b.intent(wr.id); intent != nil {
		if err := wr.close(b, intent); err != nil {
			return err
		}
	}
	wr.marks.stage(b, wr.now)
	return nil
}

func (wr *resolveIntent) close(b *batch, intent *openIntent) error {
	if wr.unresolved != "" {
		kept := queue.Unresolved{Reason: wr.unresolved, At: wr.now}
		var err error
		if kept.Intent, err = intent.parse(); err != nil {
			return err
		}
		unresolved := b.key(func(k []byte) []byte { return numberKey(k, kindUnresolved, uint64(wr.id)) })
		b.setUntil(unresolved, b.key(func(k []byte) []byte { return appendUnresolved(k, &kept) }), b.s.expiry())
		wr.kept = true
	}
	b.closeIntent(intent)
	return nil
}

func (wr *resolveIntent) committed(s *Store) {
	if wr.kept {
		s.intents.keep(schedule.Nanos(wr.now))
	}
	wr.marks.committed(s)
}

func (wr *resolveIntent) aborted(*Store) {}

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
