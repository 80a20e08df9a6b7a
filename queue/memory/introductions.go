// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"context"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/mark"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

// Sighted implements [queue.Introductions].
func (s *Store) Sighted(ctx context.Context, key event.Key) (queue.Sighting, error) {
	if err := s.enter(ctx); err != nil {
		return queue.Sighting{}, err
	}
	defer s.mu.Unlock()
	snapshot, known := s.snapshots[key]
	if !known {
		return queue.Sighting{}, queue.ErrNotFound
	}
	return queue.Sighting{Snapshot: snapshot, Generation: s.generation(key)}, nil
}

// generation returns that of an object's mark, 0 if it has none.
func (s *Store) generation(key event.Key) uint64 {
	marked, _, _ := s.marks.Get(key.Resource, key.ID)
	return marked.Generation
}

// Introduce implements [queue.Introductions].
func (s *Store) Introduce(ctx context.Context, introduction queue.Introduction) (version uint64, err error) {
	if err := introduction.Check(); err != nil {
		return 0, err
	}
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	if introduction.Epoch != s.records.epochs.Get(queue.KindEndpoint) {
		return 0, queue.ErrStale
	}
	key := introduction.Event.Key
	var known *event.Snapshot
	if snapshot, seen := s.snapshots[key]; seen {
		known = &snapshot
	}
	if err := introduction.Meets(known, s.generation(key)); err != nil {
		return 0, err
	}
	if version, err = s.changeRecords(introduction.Progress); err != nil {
		return 0, err
	}
	s.log(queue.Routed{
		Event: introduction.Event, Endpoints: []string{introduction.Endpoint},
		Formats: map[string]string{introduction.Endpoint: introduction.Format},
	}, s.now())
	return version, nil
}

// Unread implements [queue.Introductions].
func (s *Store) Unread(ctx context.Context, resource string, after event.Key, limit int) ([]event.Key, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var unread []event.Key
	s.marks.Walk(func(_, _ string, r mark.Record, _ schedule.Info) bool {
		_, seen := s.snapshots[r.Key]
		if r.Key.Resource == resource && r.IsLook() && !seen && (after.IsZero() || r.Key.ID > after.ID) {
			unread = append(unread, r.Key)
		}
		return true
	})
	slices.SortFunc(unread, compareKeys)
	return unread[:min(limit, len(unread))], nil
}
