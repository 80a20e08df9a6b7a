// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/mark"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/schedule"
)

// Object implements [queue.Objects].
func (s *Store) Object(ctx context.Context, key event.Key) (event.Snapshot, error) {
	if err := s.enter(ctx); err != nil {
		return event.Snapshot{}, err
	}
	defer s.mu.Unlock()
	snapshot, known := s.snapshots[key]
	if !known {
		return event.Snapshot{}, queue.ErrNotFound
	}
	return snapshot, nil
}

// Objects implements [queue.Objects].
func (s *Store) Objects(ctx context.Context, resource string, after event.Key, limit int) ([]event.Snapshot, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var listed []event.Snapshot
	for _, key := range slices.SortedFunc(maps.Keys(s.snapshots), compareKeys) {
		if len(listed) >= limit {
			break
		}
		if key.Resource == resource && (after.IsZero() || key.ID > after.ID) {
			listed = append(listed, s.snapshots[key])
		}
	}
	return listed, nil
}

// Unseen implements [queue.Objects].
func (s *Store) Unseen(ctx context.Context, resource string, after event.Key, limit int) ([]event.Key, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var unseen []event.Key
	s.marks.Walk(func(_, _ string, r mark.Record, _ schedule.Info) bool {
		known, seen := s.snapshots[r.Key]
		if r.Key.Resource == resource && !r.IsLook() && (!seen || known.Gone) && (after.IsZero() || r.Key.ID > after.ID) {
			unseen = append(unseen, r.Key)
		}
		return true
	})
	slices.SortFunc(unseen, compareKeys)
	return unseen[:min(limit, len(unseen))], nil
}

// Callback implements [queue.Objects].
func (s *Store) Callback(ctx context.Context, key event.Key) (queue.Callback, error) {
	if err := s.enter(ctx); err != nil {
		return queue.Callback{}, err
	}
	defer s.mu.Unlock()
	callback, known := s.callbacks[key]
	if !known {
		return queue.Callback{}, queue.ErrNotFound
	}
	return callback, nil
}

// PutCallback implements [queue.Objects].
func (s *Store) PutCallback(ctx context.Context, key event.Key, was, sealed []byte) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	callback, known := s.callbacks[key]
	if !known || !bytes.Equal(callback.Sealed, was) {
		return queue.ErrNotFound
	}
	callback.Sealed = slices.Clone(sealed)
	s.callbacks[key] = callback
	return nil
}

func compareKeys(a, b event.Key) int {
	return cmp.Or(cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.ID, b.ID))
}
