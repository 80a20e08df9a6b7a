// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/mark"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

// NoteIntent implements [queue.Intents].
func (s *Store) NoteIntent(ctx context.Context, intent queue.Intent) (queue.IntentID, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	s.lastIntent++
	intent.ID = s.lastIntent
	intent.Callback = slices.Clone(intent.Callback)
	s.intents[intent.ID] = intent
	return intent.ID, nil
}

// ResolveIntent implements [queue.Intents].
func (s *Store) ResolveIntent(ctx context.Context, id queue.IntentID, resolution queue.Resolution, _ bool) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	now := s.now()
	if intent, open := s.intents[id]; open {
		delete(s.intents, id)
		if resolution.Unresolved != "" {
			intent.Abandoned = false // which records do not keep
			s.unresolved = append(s.unresolved, queue.Unresolved{Intent: intent, Reason: resolution.Unresolved, At: now})
		}
	}
	for _, m := range resolution.Marks {
		s.mark(m, now)
	}
	return nil
}

func (s *Store) mark(m queue.Mark, now time.Time) {
	if len(m.Callback) > 0 {
		s.name(&m)
		m.Callback = nil
	}
	var due time.Time
	merged := s.marks.Update(m.Key.Resource, m.Key.ID, func(r *mark.Record) {
		r.Merge(m, now)
		due = r.DueAt
	})
	if merged {
		s.marks.Retime(m.Key.Resource, m.Key.ID, schedule.Nanos(due))
		return
	}
	made := mark.New(m, now)
	s.marks.Put(m.Key.Resource, m.Key.ID, schedule.Nanos(made.DueAt), made)
}

// name gives an object the receiver that a mark names, if it takes it.
func (s *Store) name(m *queue.Mark) {
	var known *event.Snapshot
	if snapshot, seen := s.snapshots[m.Key]; seen {
		known = &snapshot
	}
	var has *queue.Callback
	if callback, named := s.callbacks[m.Key]; named {
		has = &callback
	}
	if queue.TakesCallback(m, known, has) {
		s.callbacks[m.Key] = queue.Callback{Sealed: slices.Clone(m.Callback)}
	}
}

// StaleIntents implements [queue.Intents]. Only intents that were noted as
// abandoned have no owner.
func (s *Store) StaleIntents(ctx context.Context, limit int) ([]queue.Intent, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	now := s.now()
	var stale []queue.Intent
	for _, id := range slices.Sorted(maps.Keys(s.intents)) {
		if len(stale) >= limit {
			break
		}
		if intent := s.intents[id]; intent.Abandoned || !intent.Deadline.IsZero() && !now.Before(intent.Deadline) {
			stale = append(stale, intent)
		}
	}
	return stale, nil
}
